// SPDX-License-Identifier: Apache-2.0
import Chat
package import JSON
package import Persistence

extension PlacedMessage {
    /// Writes the contract's `Msg`.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            message.writeFields(to: &writer)
            writer.member("siblingIndex", siblingIndex)
            writer.member("siblingCount", siblingCount)
            writer.member("createdAt", message.createdAt.description)
        }
    }
}

extension StoredMessage {
    fileprivate func writeFields(to writer: inout JSONWriter) {
        writer.member("id", id.description)
        writer.member("sessionId", sessionID.description)
        if let parentID {
            writer.member("parentMessageId", parentID.description)
        } else {
            writer.nullMember("parentMessageId")
        }
        writer.member("role", role.rawValue)
        writer.member("content", content)
        if !parts.isEmpty {
            writer.arrayMember("parts") { writer in
                for part in parts { part.write(to: &writer) }
            }
        }
        writer.member("status", status.rawValue)
        if let finishReason { writer.member("finishReason", finishReason.rawValue) }
        if let failure {
            writer.objectMember("error") { writer in
                writer.member("code", failure.code)
                writer.member("message", failure.message)
            }
        }
        if let usage {
            writer.objectMember("usage") { writer in usage.writeFields(to: &writer) }
        }
        if let model { writer.member("model", model) }
        if let provider { writer.member("provider", provider) }
    }
}
