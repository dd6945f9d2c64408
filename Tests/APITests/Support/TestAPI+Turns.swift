// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport

@testable import API

extension TestAPI {
    /// A message that is stored as a whole.
    func addMessage(
        _ content: String, under parent: MessageID?, to session: SessionID, owner: UserID,
        status: MessageStatus = .complete, job: JobID? = nil
    ) async throws -> MessageID {
        let id: MessageID = services.ids.next()
        let role = status == .complete ? "user" : "assistant"
        try await services.database.pool.execute(
            """
            INSERT INTO messages (id, user_id, session_id, parent_id, role, content, status, job_id)
            VALUES (\(id), \(owner), \(session), \(parent), \(role), \(content), \(status.rawValue), \(job))
            """)
        return id
    }

    /// Messages one under the other, the last of which is the session's leaf.
    func addThread(of count: Int, to session: SessionID, owner: UserID) async throws -> [MessageID] {
        var thread: [MessageID] = []
        for number in 0..<count {
            thread.append(try await addMessage("\(number)", under: thread.last, to: session, owner: owner))
        }
        try await services.database.pool.execute(
            "UPDATE sessions SET leaf_id = \(thread.last) WHERE id = \(session)")
        return thread
    }

    /// A reply whose job waits in line.
    func addPendingTurn(to session: SessionID, owner: UserID) async throws -> JobID {
        let job: JobID = services.ids.next()
        _ = try await services.queue.enqueue([
            NewJob(
                id: job, kind: .chat, lane: .chat, userID: owner, serialKey: SerialKey(session),
                payload: Array("{}".utf8))
        ])
        _ = try await addMessage("", under: nil, to: session, owner: owner, status: .queued, job: job)
        return job
    }
}
