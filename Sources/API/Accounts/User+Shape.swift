// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Persistence

extension User {
    /// Writes `{id, username, email, role, createdAt}`.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("username", username)
            if let email { writer.member("email", email) } else { writer.nullMember("email") }
            writer.member("role", role.rawValue)
            writer.member("createdAt", createdAt.description)
        }
    }
}
