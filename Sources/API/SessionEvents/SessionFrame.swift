// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Jobs
import Persistence

/// The frames of a session's stream, as they go over the wire. None has an `id`: nothing is replayed here.
enum SessionFrame {
    static func snapshot(_ snapshot: SessionSnapshot) -> [UInt8] {
        frame("snapshot") { writer in
            writer.member("sessionId", snapshot.sessionID.description)
            writer.member("title", snapshot.title)
            writer.member("titleSource", snapshot.titleSource.rawValue)
            if let leaf = snapshot.leafID {
                writer.member("leafMessageId", leaf.description)
            } else {
                writer.nullMember("leafMessageId")
            }
            writer.nullMember("summary")
            if let running = snapshot.runningJob {
                writer.objectMember("runningJob") { writer in
                    writer.member("jobId", running.job.description)
                    if let message = running.message {
                        writer.member("messageId", message.description)
                    } else {
                        writer.nullMember("messageId")
                    }
                    writer.member("state", running.state.name)
                }
            } else {
                writer.nullMember("runningJob")
            }
            writer.member("version", snapshot.version)
        }
    }

    static func title(_ title: String, of session: SessionID) -> [UInt8] {
        frame("title") { writer in
            writer.member("sessionId", session.description)
            writer.member("title", title)
        }
    }

    static func message(_ message: PlacedMessage) -> [UInt8] {
        frame("message") { writer in
            writer.member("sessionId", message.message.sessionID.description)
            writer.key("message")
            message.write(to: &writer)
        }
    }

    /// The last frame of a stream whose session was deleted.
    static func deleted(_ session: SessionID) -> [UInt8] {
        frame("deleted") { $0.member("sessionId", session.description) }
    }

    private static func frame(_ type: String, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
        let data = JSONWriter.object { writer in
            writer.member("type", type)
            body(&writer)
        }
        return ServerSentEvent(event: type, data: data).encoded()
    }
}
