// SPDX-License-Identifier: Apache-2.0
package import Chat
import JSON

/// The payload of a title job.
package struct TitlePayload: Sendable, Hashable {
    /// The session to be named.
    package var sessionID: SessionID
    /// Its first turn.
    package var userMessageID: MessageID

    /// See the properties.
    package init(sessionID: SessionID, userMessageID: MessageID) {
        self.sessionID = sessionID
        self.userMessageID = userMessageID
    }

    /// The stored form.
    package var json: [UInt8] {
        JSONWriter.object { writer in
            writer.member("sessionId", sessionID.description)
            writer.member("userMessageId", userMessageID.description)
        }
    }

    /// Reads the stored form; nil when it is none.
    package init?(json: [UInt8]) {
        let value: JSONValue
        do throws(JSONError) { value = try JSONParser.parse(json) } catch { return nil }
        guard
            let session = value["sessionId"]?.stringValue.flatMap({ SessionID($0) }),
            let user = value["userMessageId"]?.stringValue.flatMap({ MessageID($0) })
        else { return nil }
        self.init(sessionID: session, userMessageID: user)
    }
}
