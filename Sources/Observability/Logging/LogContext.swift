// SPDX-License-Identifier: Apache-2.0

/// Whose work the running task does. Bound once where a request is accepted or a job is claimed, it is put on
/// every line logged below, also by modules that know nothing of requests or jobs.
///
///     await LogContext.current.with { $0.jobID = id; $0.attempt = 2 }.run {
///         await run(job)
///     }
///
/// Task-local: child tasks inherit it; event loop callbacks, which run outside any task, do not.
package struct LogContext: Sendable {
    /// The context of the current task; empty where nothing was bound.
    @TaskLocal package static var current = LogContext()

    /// What `X-Request-Id` says.
    package var requestID: String?
    /// The job being run; becomes text when a line is written.
    package var jobID: (any CustomStringConvertible & Sendable)?
    /// Starts at 1.
    package var attempt: Int?
    /// On whose behalf; becomes text when a line is written.
    package var userID: (any CustomStringConvertible & Sendable)?
    /// The distributed trace this belongs to; its trace id is logged.
    package var trace: TraceContext?

    /// A context of the given parts; `nil` parts are left off the line.
    package init(
        requestID: String? = nil, jobID: (any CustomStringConvertible & Sendable)? = nil, attempt: Int? = nil,
        userID: (any CustomStringConvertible & Sendable)? = nil,
        trace: TraceContext? = nil
    ) {
        self.requestID = requestID
        self.jobID = jobID
        self.attempt = attempt
        self.userID = userID
        self.trace = trace
    }

    /// A copy with some parts changed, to bind over the current one.
    package func with(_ change: (inout LogContext) -> Void) -> LogContext {
        var copy = self
        change(&copy)
        return copy
    }

    /// Runs a body that does not wait within this context: tasks that it starts have it.
    package func run<Value>(_ body: () -> Value) -> Value {
        Self.$current.withValue(self, operation: body)
    }

    /// Runs a body within this context. It stays on the caller's actor, which `withValue` of a task-local does not see
    /// to in a nonisolated function.
    package func run<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async -> Value
    ) async -> Value {
        await Self.$current.withValue(self) {
            _ = isolation
            return await body()
        }
    }
}
