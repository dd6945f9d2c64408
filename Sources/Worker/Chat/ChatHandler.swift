// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// Runs chat jobs: one turn, one reply.
package struct ChatHandler: JobHandler {
    private let services: ChatServices
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - services: shared by all runs.
    ///   - now: the database's clock as this process knows it.
    package init(services: ChatServices, now: @escaping @Sendable () -> Timestamp) {
        self.services = services
        self.now = now
    }

    /// See ``JobHandler``. Touches nothing yet.
    package func begin(_ job: ClaimedJob, stream: RunStream) -> any JobRun {
        ChatRun(job: job, stream: stream, services: services, now: now)
    }
}
