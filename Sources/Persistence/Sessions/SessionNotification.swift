// SPDX-License-Identifier: Apache-2.0
package import Chat
import JSON

/// The payloads of channel `sessions`: changes of many sessions, one a line.
///
/// `<session> <version> <letter>`, and after that for a title (`t`) the title as a JSON string, for messages (`m`)
/// their ids. `s` is a job's standing, `o` something else, `d` the end of the session.
package enum SessionNotification {
    /// The one channel, listened to by every API process from its start.
    package static let channel = "sessions"

    /// Packs changes; those of one session in the order of their versions, so that what was handed over out of order
    /// by two tasks of a process is no gap.
    package static func encode(_ changes: [SessionChange]) -> [String] {
        var payloads: [String] = []
        var current = ""
        for change in changes.sorted(by: { $0.version < $1.version }) {
            let line = line(for: change)
            if current.utf8.count + line.utf8.count + 1 >= StreamNotification.maximumBytes, !current.isEmpty {
                payloads.append(current)
                current = ""
            }
            if !current.isEmpty { current += "\n" }
            current += line
        }
        if !current.isEmpty { payloads.append(current) }
        return payloads
    }

    private static func line(for change: SessionChange) -> String {
        let head = "\(change.session) \(change.version) "
        switch change.kind {
        case .title(let title):
            var writer = JSONWriter()
            writer.string(title)
            let line = head + "t " + String(decoding: writer.bytes, as: UTF8.self)
            // Too long for a payload: who watches reads it.
            return line.utf8.count < StreamNotification.maximumBytes ? line : head + "s"
        case .messages(let ids):
            let line = head + "m" + ids.map { " \($0)" }.joined()
            return line.utf8.count < StreamNotification.maximumBytes ? line : head + "s"
        case .standing: return head + "s"
        case .other: return head + "o"
        case .deleted: return head + "d"
        }
    }

    /// Calls back for each change of a watched session, in order. The others cost no more than their id.
    ///
    /// - Returns: the number of lines that could not be parsed; a gap in the versions tells who is concerned.
    package static func decode(
        _ payload: String, isWatched: (SessionID) -> Bool, _ body: (SessionChange) -> Void
    ) -> Int {
        var malformed = 0
        for line in payload.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
            guard words.count >= 3, let session = SessionID(String(decoding: words[0], as: UTF8.self)) else {
                malformed += 1
                continue
            }
            guard isWatched(session) else { continue }
            guard let version = Int64(String(decoding: words[1], as: UTF8.self)),
                let kind = kind(words[2], words.count > 3 ? Array(words[3]) : [])
            else {
                malformed += 1
                continue
            }
            body(SessionChange(session: session, version: version, kind: kind))
        }
        return malformed
    }

    private static func kind(_ letter: Substring.UTF8View, _ rest: [UInt8]) -> SessionChange.Kind? {
        switch String(decoding: letter, as: UTF8.self) {
        case "t":
            do throws(JSONError) { return try JSONParser.parse(rest).stringValue.map { .title($0) } } catch {
                return nil
            }
        case "m":
            let words = rest.split(separator: UInt8(ascii: " "))
            let ids = words.compactMap { MessageID(String(decoding: $0, as: UTF8.self)) }
            return ids.count == words.count && !ids.isEmpty ? .messages(ids) : nil
        case "s": return .standing
        case "d": return .deleted
        // A newer version's kinds change something that this one has no event for.
        default: return .other
        }
    }
}
