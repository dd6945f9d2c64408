// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// What a page that shows a session begins with.
package struct SessionSnapshot: Sendable, Hashable {
    /// The job whose turn it is in the session.
    package struct RunningJob: Sendable, Hashable {
        /// The first of the session's line.
        package let job: JobID
        /// The reply that it writes; nil for one that writes none.
        package let message: MessageID?
        /// Scheduled, ready or running.
        package let state: JobState
    }

    /// Whose.
    package let sessionID: SessionID
    /// As written or made.
    package let title: String
    /// Where the title comes from.
    package let titleSource: TitleSource
    /// The end of the branch that is shown; nil while it is empty.
    package let leafID: MessageID?
    /// The version that all of this is of.
    package let version: Int64
    /// nil while nothing is under way.
    package let runningJob: RunningJob?

    init(_ id: SessionID, _ columns: inout ColumnReader) throws(PersistenceError) {
        sessionID = id
        title = try columns.next()
        titleSource = try columns.nextWord()
        leafID = try columns.next()
        version = try columns.next()
        let job: JobID? = try columns.next()
        let message: MessageID? = try columns.next()
        let state: Int16 = try columns.next()
        runningJob = job.map { RunningJob(job: $0, message: message, state: JobState(rawValue: state) ?? .ready) }
    }
}
