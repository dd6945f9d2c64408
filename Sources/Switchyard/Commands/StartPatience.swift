// SPDX-License-Identifier: Apache-2.0
import Observability
import Persistence
import Postgres
import Runtime

/// Repeats what a start needs of the database while that is away: it may just be restarting, and a process that runs
/// would sit that out.
///
/// Only for a while, so that a wrong address is told to whoever starts the process, and not when it refuses, or after a
/// signal to end.
struct StartPatience: Sendable {
    /// From the first failure of a step. A crashed server of moderate load is back by then; one that takes longer is left
    /// to whoever starts processes again.
    private static let limit: Duration = .seconds(10)
    private static let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))

    let logger: Logger
    let request: ShutdownSignal

    /// Runs a body, which changes nothing by being run again.
    ///
    /// - Throws: what it threw last.
    func repeating<Value>(_ body: () async throws -> Value) async throws -> Value {
        var firstFailure: ContinuousClock.Instant?
        var attempt = 0
        while true {
            do { return try await body() } catch {
                let since = firstFailure ?? .now
                firstFailure = since
                let mayWait = ContinuousClock.now - since < Self.limit && !request.isTriggered
                guard Self.isAway(error), mayWait else { throw error }
                logger.warning("the start waits for the database", [.errorDetail: "\(error)"])
                try await ContinuousClock().sleep(for: Self.backoff.ceiling(attempt: attempt))
                attempt += 1
            }
        }
    }

    private static func isAway(_ error: any Error) -> Bool {
        switch error {
        case let error as PostgresError: error.isUnavailable
        case let error as PersistenceError: error.isRetryable
        default: false
        }
    }
}
