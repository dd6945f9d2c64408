// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// Runs jobs that do nothing: what is measured with them is the queue. With the payload ``stampPayload`` the result is
/// the time the handler began, in microseconds since 1970 by the database's clock.
package struct NoopHandler: JobHandler {
    /// Asks for the time.
    package static let stampPayload = Array(#"{"stamp":true}"#.utf8)

    private let now: @Sendable () -> Timestamp

    /// - Parameter now: the database's clock as this process knows it.
    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    /// A run that ends at once.
    package func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun {
        NoopRun(startedAt: job.payload == Self.stampPayload ? now() : nil)
    }
}

private struct NoopRun: JobRun {
    let startedAt: Timestamp?
    var hadOutput: Bool { false }
    func perform() async throws(JobFailure) -> [UInt8]? {
        startedAt.map { Array(String($0.microsecondsSince1970).utf8) }
    }
    func conclusion(of end: RunEnd) -> RunConclusion { RunConclusion() }
}
