// SPDX-License-Identifier: Apache-2.0
import Dispatch
import FoundationEssentials
import Synchronization
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(1)))
struct ContinuationTests {
    private func withHome(_ body: (LoopDomain) async throws -> Void) async throws {
        let loop = try EventLoop(name: "home")
        defer { loop.shutDown() }
        try await body(LoopDomain(loop))
    }

    /// All threads of the global pool stand still meanwhile: a task that came back by one of them never would.
    @Test func `a wait on a loop needs no thread of the global pool`() async throws {
        try await withHome { home in
            let width = ProcessInfo.processInfo.activeProcessorCount
            let standing = Standing()
            let isOver = DispatchSemaphore(value: 0)
            let holders = (0..<width).map { _ in
                Task {
                    // The last one stands still and lets the loop begin.
                    if standing.count.wrappingAdd(1, ordering: .relaxed).newValue == width {
                        home.loop.execute {
                            Task.immediate {
                                await home.run {
                                    await Self.waitOften(on: home.loop)
                                    for _ in 0..<width { isOver.signal() }
                                }
                            }
                        }
                    }
                    Self.stand(until: isOver)
                }
            }
            for holder in holders { await holder.value }
            #expect(standing.count.load(ordering: .relaxed) == width)
        }
    }

    private static func waitOften(on loop: EventLoop) async {
        let channel = BoundedChannel<Void>(capacity: 1)
        for _ in 0..<100 {
            loop.execute { _ = channel.send(()) }
            _ = await channel.nextBatch()
        }
    }

    private static func stand(until isOver: DispatchSemaphore) { isOver.wait() }

    @Test(arguments: [true, false])
    func `a continuation brings back a value, on a loop and elsewhere`(isOnLoop: Bool) async throws {
        try await withHome { home in
            let wait: @Sendable () async -> Int = { [loop = home.loop] in
                await withContinuation { continuation in loop.execute { continuation.resume(returning: 7) } }
            }
            let value = isOnLoop ? await home.run(wait) : await wait()
            #expect(value == 7)
        }
    }

    private final class Standing: Sendable {
        let count = Atomic<Int>(0)
    }
}
