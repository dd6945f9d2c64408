// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(1)))
struct TogetherTests {
    @Test func `both run at the same time, the first one first, and on the caller's actor`() async throws {
        let loop = try EventLoop(name: "home")
        defer { loop.shutDown() }
        let home = LoopDomain(loop)
        let order = Mutex<[String]>([])
        let (one, two) = await home.run {
            let (fromSecond, fromFirst) = (BoundedChannel<Int>(capacity: 1), BoundedChannel<Int>(capacity: 1))
            return await together {
                order.withLock { $0.append("first \(loop.isCurrent)") }
                _ = fromFirst.send(1)
                return await fromSecond.nextBatch()
            } _: {
                order.withLock { $0.append("second \(loop.isCurrent)") }
                _ = fromSecond.send(2)
                return await fromFirst.nextBatch()
            }
        }
        #expect(one == [2] && two == [1])
        #expect(order.withLock { $0 } == ["first true", "second true"])
    }

    @Test func `cancellation reaches both, and both have ended when it returns`() async {
        let ended = Mutex(0)
        let task = Task {
            await together {
                await ShutdownSignal().wait()
                ended.withLock { $0 += Task.isCancelled ? 1 : 0 }
            } _: {
                await ShutdownSignal().wait()
                ended.withLock { $0 += Task.isCancelled ? 1 : 0 }
            }
        }
        task.cancel()
        _ = await task.value
        #expect(ended.withLock { $0 } == 2)
    }
}
