// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Persistence

extension ChatSession {
    /// Writes the contract's `S`.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("title", title)
            writer.member("titleSource", titleSource.rawValue)
            if let modelID { writer.member("modelId", modelID.description) } else { writer.nullMember("modelId") }
            if let instructions { writer.member("instructions", instructions) }
            if let leafID {
                writer.member("leafMessageId", leafID.description)
            } else {
                writer.nullMember("leafMessageId")
            }
            writer.member("messageCount", messageCount)
            writer.member("archived", isArchived)
            writer.arrayMember("tags") { writer in
                for tag in tags { writer.string(tag) }
            }
            writer.member("createdAt", createdAt.description)
            writer.member("updatedAt", updatedAt.description)
        }
    }
}
