// SPDX-License-Identifier: Apache-2.0
package import Chat
import JSON
package import Jobs

/// Runs jobs that do nothing: what is measured with them is the queue. With the payload ``stampPayload`` the result is
/// the time the handler began, in microseconds since 1970 by the database's clock; with ``holdPayload(_:)`` the run
/// keeps its slot for a while, as work does that waits for somebody else.
package struct NoopHandler: JobHandler {
    /// Asks for the time.
    package static let stampPayload = Array(#"{"stamp":true}"#.utf8)
    /// A payload that asks for more is held for this long.
    package static let longestHold: Duration = .seconds(60)
    private static let hold = "hold_ms"

    /// Asks for a run that lasts so long, to the millisecond, and needs no thread meanwhile.
    package static func holdPayload(_ time: Duration) -> [UInt8] {
        Array(#"{"\#(hold)":\#(Int64(time / .milliseconds(1)))}"#.utf8)
    }

    private let now: @Sendable () -> Timestamp

    /// - Parameter now: the database's clock as this process knows it.
    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    /// A run that ends at once, unless its payload asks for a longer one.
    package func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun {
        if job.payload == Self.stampPayload { return NoopRun(startedAt: now(), hold: nil) }
        return NoopRun(startedAt: nil, hold: Self.hold(of: job.payload))
    }

    static func hold(of payload: [UInt8]) -> Duration? {
        // Nothing but braces: what nearly all of them are.
        if payload.count <= 2 { return nil }
        let milliseconds: Int64?
        do throws(JSONError) { milliseconds = try JSONParser.parse(payload)[hold]?.integerValue } catch { return nil }
        guard let milliseconds, milliseconds > 0 else { return nil }
        return min(.milliseconds(milliseconds), longestHold)
    }
}

private struct NoopRun: JobRun {
    let startedAt: Timestamp?
    let hold: Duration?

    var hadOutput: Bool { false }

    func perform() async throws(JobFailure) -> [UInt8]? {
        if let hold {
            do { try await ContinuousClock().sleep(for: hold) } catch {
                throw JobFailure(.interrupted, .internalError, "the run was ended before its time")
            }
        }
        return startedAt.map { Array(String($0.microsecondsSince1970).utf8) }
    }

    func conclusion(of end: RunEnd) -> RunConclusion { RunConclusion() }
}
