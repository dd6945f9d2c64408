// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The submission of a turn.
enum TurnStatements {
    /// Stores a turn with everything that it makes, or says why not; wakes the workers. One statement, whose commit is
    /// not waited for on the disk.
    ///
    /// Returns the place of the reply's job (0 in line, 2 behind another), the refusal and the session's new version.
    /// Index and lock order: as the function says. Of the events the last one is only for a reply that waits behind
    /// another. Without notices, which a full queue of the database does not take, workers look now and then.
    static func submit(
        _ turn: NewTurn, reply: NewJob, title: NewJob?, events: [StampedEvent], notifies: Bool
    ) -> SQL {
        """
        SELECT place, refusal, new_version
        FROM submit_turn(\(turn.userID), \(turn.sessionID), \(turn.userMessageID), \(turn.messageID), \(reply.id),
                         \(turn.titleJobID), \(turn.content), \(StoredJSON.text(turn.parts)), \(turn.parentMessageID),
                         \(String(decoding: reply.payload, as: UTF8.self)), \(reply.gate), \(reply.maximumAttempts),
                         \(reply.runLimit.wholeMilliseconds),
                         \(title.map { String(decoding: $0.payload, as: UTF8.self) }), \(title?.gate),
                         \(title?.maximumAttempts), \(title?.runLimit.wholeMilliseconds),
                         \(turn.onBusy == .reject), \(events.map(\.event.kind.rawValue)),
                         \(events.map { String(decoding: $0.event.data, as: UTF8.self) }), \(events.first?.written),
                         \(notifies))
        """
    }

    /// The words of `refusal`.
    enum Refusal: String {
        case session, parent, busy, repeated
    }
}
