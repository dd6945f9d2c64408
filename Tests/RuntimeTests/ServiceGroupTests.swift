// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Runtime

/// Writes what happens to it into a shared list; a stubborn one ignores the orderly shutdown.
private struct RecordedService: Service {
    let name: String
    let events: BoundedChannel<String>
    var stubborn = false
    var failure: ShutdownSignal?
    private struct Broken: Error {}

    func run(_ shutdown: ShutdownSignal) async throws {
        _ = events.send("\(name) started")
        if let failure {
            await failure.wait()
            throw Broken()
        }
        await stubborn ? ShutdownSignal().wait() : shutdown.wait()
        _ = events.send(Task.isCancelled ? "\(name) cancelled" : "\(name) stopped")
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ServiceGroupTests {
    private let events = BoundedChannel<String>(capacity: 100)
    private let request = ShutdownSignal()
    private let abort = ShutdownSignal()

    private func eventsUntil(_ count: Int) async -> [String] {
        var seen: [String] = []
        while seen.count < count { seen += await events.nextBatch() }
        return seen
    }

    @Test func `services stop in reverse order, one at a time`() async {
        let group = ServiceGroup(
            ["database", "worker", "server"].map { RecordedService(name: $0, events: events) }, grace: .seconds(30))
        async let outcome = group.run(request: request, abort: abort)
        #expect(Set(await eventsUntil(3)) == ["database started", "worker started", "server started"])
        request.trigger()
        guard case .graceful = await outcome else {
            Issue.record("not graceful")
            return
        }
        #expect(await eventsUntil(3) == ["server stopped", "worker stopped", "database stopped"])
    }

    @Test func `a second request cancels what does not stop`() async {
        let group = ServiceGroup(
            [
                RecordedService(name: "database", events: events),
                RecordedService(name: "worker", events: events, stubborn: true),
            ], grace: .seconds(3600))
        async let outcome = group.run(request: request, abort: abort)
        _ = await eventsUntil(2)
        request.trigger()
        abort.trigger()
        guard case .cancelled = await outcome else {
            Issue.record("not cancelled")
            return
        }
        #expect(Set(await eventsUntil(2)) == ["worker cancelled", "database cancelled"])
    }

    @Test func `the grace ends a service that does not stop`() async {
        let group = ServiceGroup(
            [RecordedService(name: "worker", events: events, stubborn: true)], grace: .milliseconds(1))
        request.trigger()
        guard case .cancelled = await group.run(request: request, abort: abort) else {
            Issue.record("not cancelled")
            return
        }
    }

    @Test func `a service that fails shuts the others down and is named`() async {
        let failure = ShutdownSignal()
        let group = ServiceGroup(
            [
                RecordedService(name: "database", events: events),
                RecordedService(name: "worker", events: events, failure: failure),
            ], grace: .seconds(30))
        async let outcome = group.run(request: request, abort: abort)
        _ = await eventsUntil(2)
        failure.trigger()
        guard case .failed(let service, let error) = await outcome else {
            Issue.record("not failed")
            return
        }
        #expect(service == "worker")
        #expect(error != nil)
        #expect(await eventsUntil(1) == ["database stopped"])
    }
}
