// SPDX-License-Identifier: Apache-2.0
package import Chat
package import JSON

/// The payload of a chat job: ids, not text, so that a turn behind another sees what that one wrote.
package struct ChatPayload: Sendable, Equatable {
    /// Whose thread is read, and whose line the job stands in.
    package var sessionID: SessionID
    /// The reply to be written.
    package var messageID: MessageID
    /// The turn it answers, and the leaf of its thread.
    package var userMessageID: MessageID
    /// The model of this turn only.
    package var modelID: ModelID?
    /// `temperature`, `maxTokens`, …: checked when the request came.
    package var parameters: JSONObject

    /// See the properties.
    package init(
        sessionID: SessionID, messageID: MessageID, userMessageID: MessageID, modelID: ModelID?,
        parameters: JSONObject
    ) {
        self.sessionID = sessionID
        self.messageID = messageID
        self.userMessageID = userMessageID
        self.modelID = modelID
        self.parameters = parameters
    }

    /// The stored form.
    package var json: [UInt8] {
        JSONWriter.object { writer in
            writer.member("sessionId", sessionID.description)
            writer.member("messageId", messageID.description)
            writer.member("userMessageId", userMessageID.description)
            if let modelID { writer.member("modelId", modelID.description) }
            writer.member("params", .object(parameters))
        }
    }

    /// Reads the stored form; nil when it is none.
    package init?(json: [UInt8]) {
        let value: JSONValue
        do throws(JSONError) { value = try JSONParser.parse(json) } catch { return nil }
        guard
            let session = value["sessionId"]?.stringValue.flatMap({ SessionID($0) }),
            let message = value["messageId"]?.stringValue.flatMap({ MessageID($0) }),
            let user = value["userMessageId"]?.stringValue.flatMap({ MessageID($0) })
        else { return nil }
        self.init(
            sessionID: session, messageID: message, userMessageID: user,
            modelID: value["modelId"]?.stringValue.flatMap { ModelID($0) },
            parameters: value["params"]?.objectValue ?? [:])
    }
}
