// SPDX-License-Identifier: Apache-2.0

/// Runs services as one: started in order, shut down in reverse order one at a time, with two deadlines.
///
/// A service may rely on every service before it, for its whole life.
package struct ServiceGroup: Sendable {
    /// How the group ended.
    package enum Outcome: Sendable {
        /// Every service ended in order after a shutdown was asked for.
        case graceful
        /// The grace was over, or a second request came: what still ran was cancelled.
        case cancelled
        /// A service ended by itself; the others were shut down.
        case failed(service: String, error: (any Error)?)
    }

    private enum Report: Sendable {
        case ended(index: Int, error: (any Error)?)
        case shutdownRequested
        case graceOver
        case helperEnded
    }

    private let services: [any Service]
    private let grace: Duration

    /// - Parameters:
    ///   - services: in the order of their start; each may use those before it.
    ///   - grace: from the request to shut down until what still runs is cancelled.
    package init(_ services: [any Service], grace: Duration) {
        self.services = services
        self.grace = grace
    }

    /// Runs until every service has ended.
    ///
    /// - Parameters:
    ///   - request: triggers the orderly shutdown (a first SIGTERM).
    ///   - abort: ends the grace at once (a second SIGTERM).
    /// - Returns: the first thing that was not in order, or `graceful`.
    package func run(request: ShutdownSignal, abort: ShutdownSignal) async -> Outcome {
        let signals = services.map { _ in ShutdownSignal() }
        return await withTaskGroup(of: Report.self) { group in
            for (index, service) in services.enumerated() {
                group.addTask { await Self.supervise(service, index, signals[index]) }
            }
            group.addTask {
                await request.wait()
                return .shutdownRequested
            }
            var running = Set(services.indices)
            var outcome: Outcome?
            var stopping = false

            func stopNext() {
                if let last = running.max() { signals[last].trigger() } else { group.cancelAll() }
            }
            func beginStop() {
                if stopping { return stopNext() }
                stopping = true
                let grace = grace
                group.addTask {
                    await Self.graceEnds(after: grace, abort: abort)
                }
                stopNext()
            }

            while let report = await group.next() {
                switch report {
                case .ended(let index, let error):
                    running.remove(index)
                    if !stopping && outcome == nil {
                        outcome = .failed(service: services[index].name, error: error)
                    }
                    beginStop()
                case .shutdownRequested:
                    if !stopping { beginStop() }
                case .graceOver:
                    if !running.isEmpty {
                        outcome = outcome ?? .cancelled
                        group.cancelAll()
                    }
                case .helperEnded: break
                }
            }
            return outcome ?? .graceful
        }
    }

    private static func supervise(_ service: any Service, _ index: Int, _ signal: ShutdownSignal) async -> Report {
        do {
            try await service.run(signal)
            return .ended(index: index, error: nil)
        } catch {
            return .ended(index: index, error: error)
        }
    }

    private static func graceEnds(after grace: Duration, abort: ShutdownSignal) async -> Report {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await abort.wait() }
            group.addTask {
                do { try await ContinuousClock().sleep(for: grace) } catch { return }
            }
            await group.next()
            group.cancelAll()
        }
        return Task.isCancelled ? .helperEnded : .graceOver
    }
}
