// SPDX-License-Identifier: Apache-2.0
package import Jobs

/// Runs jobs that do nothing: what is measured with them is the queue.
package struct NoopHandler: JobHandler {
    /// Without state of its own.
    package init() {}

    /// See ``JobHandler``.
    package func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun { NoopRun() }
}

private struct NoopRun: JobRun {
    var hadOutput: Bool { false }
    func perform() async throws(JobFailure) -> [UInt8]? { nil }
    func conclusion(of end: RunEnd) -> RunConclusion { RunConclusion() }
}
