// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Runtime

/// Starts tasks from the loop, as its owner does.
extension LoopDomain {
    fileprivate func start(_ count: Int, in tasks: LoopTasks, _ body: @escaping @Sendable () async -> Void) {
        for _ in 0..<count { tasks.start(on: self) { _ in await body() } }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct LoopTasksTests {
    private func withHome(_ body: (LoopDomain) async throws -> Void) async throws {
        let loop = try EventLoop(name: "home")
        defer { loop.shutDown() }
        try await body(LoopDomain(loop))
    }

    @Test func `tasks begin on the loop, stay there after waits, and are all waited for`() async throws {
        try await withHome { home in
            let onLoop = Mutex(0)
            let tasks = LoopTasks()
            await home.start(50, in: tasks) {
                let began = home.loop.isCurrent
                let channel = BoundedChannel<Int>(capacity: 1)
                let feeder = Task { channel.send(1) }
                _ = await channel.nextBatch()
                _ = await feeder.value
                if began && home.loop.isCurrent { onLoop.withLock { $0 += 1 } }
            }
            await tasks.waitForAll()
            #expect(onLoop.withLock { $0 } == 50)
        }
    }

    @Test func `cancelling the owner cancels what runs and what is started later`() async throws {
        try await withHome { home in
            let cancelled = Mutex(0)
            let tasks = LoopTasks()
            let body: @Sendable () async -> Void = {
                await ShutdownSignal().wait()
                if Task.isCancelled { cancelled.withLock { $0 += 1 } }
            }
            await home.start(3, in: tasks, body)
            let owner = Task { await tasks.waitForAll() }
            owner.cancel()
            await owner.value
            #expect(cancelled.withLock { $0 } == 3)
            await home.start(2, in: tasks, body)
            await tasks.waitForAll()
            #expect(cancelled.withLock { $0 } == 5)
        }
    }

    @Test func `waiting for none returns at once`() async {
        await LoopTasks().waitForAll()
    }

    @Test func `a domain's work stays on the loop through cancellation handlers`() async throws {
        try await withHome { home in
            let places = await home.run {
                let inside = await withCancellationHandler {
                    home.loop.isCurrent
                } onCancel: {
                }
                return [inside, home.loop.isCurrent]
            }
            #expect(places == [true, true])
        }
    }
}
