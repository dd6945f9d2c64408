// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence
import Testing

struct SessionNotificationTests {
    private static let session = SessionID(high: 1, low: 2)

    private func change(_ version: Int64, _ kind: SessionChange.Kind, of session: SessionID = session) -> SessionChange
    {
        SessionChange(session: session, version: version, kind: kind)
    }

    private func decode(
        _ payloads: [String], isWatched: (SessionID) -> Bool = { _ in true }
    ) -> (changes: [SessionChange], malformed: Int) {
        var changes: [SessionChange] = []
        var malformed = 0
        for payload in payloads {
            malformed += SessionNotification.decode(payload, isWatched: isWatched) { changes.append($0) }
        }
        return (changes, malformed)
    }

    @Test(arguments: [
        SessionChange.Kind.title("plain"), .title("Ä \"q\" \\ \n \u{1F600} e\u{301}"), .title(" "), .standing, .other,
        .deleted, .messages([MessageID(high: 1, low: 1)]),
        .messages((1...30).map { MessageID(high: 7, low: $0) }),
    ])
    func `what is told arrives as it was`(kind: SessionChange.Kind) {
        let (changes, malformed) = decode(SessionNotification.encode([change(9, kind)]))
        #expect(changes == [change(9, kind)])
        #expect(malformed == 0)
    }

    @Test func `changes are told in the order of their versions, in payloads that the database takes`() {
        let other = SessionID(high: 3, low: 4)
        var changes: [SessionChange] = []
        for version in Int64(1)...200 {
            changes.append(change(version, .title(String(repeating: "é", count: Int(version)))))
            changes.append(change(version, .messages([MessageID(high: 1, low: UInt64(version))]), of: other))
        }
        let payloads = SessionNotification.encode(changes.shuffled())
        #expect(payloads.count > 1 && payloads.allSatisfy { $0.utf8.count < 8000 && !$0.isEmpty })
        let arrived = decode(payloads).changes
        for session in [Self.session, other] {
            #expect(arrived.filter { $0.session == session } == changes.filter { $0.session == session })
        }
        #expect(decode(payloads, isWatched: { $0 == other }).changes == changes.filter { $0.session == other })
    }

    @Test func `what is too long for a payload is told as something to look for`() {
        let long = change(3, .title(String(repeating: "x", count: 9000)))
        let many = change(4, .messages((1...300).map { MessageID(high: 1, low: $0) }))
        #expect(
            decode(SessionNotification.encode([long, many])).changes == [change(3, .standing), change(4, .standing)])
    }

    @Test(arguments: [
        "x 1 s", "\(session)", "\(session) 1", "\(session) one s", "\(session) 1 t", "\(session) 1 t \"open",
        "\(session) 1 t 5", "\(session) 1 m", "\(session) 1 m x",
    ])
    func `a line that cannot be read is counted and skipped`(line: String) {
        let (changes, malformed) = decode([line + "\n\(Self.session) 2 s"])
        #expect(changes == [change(2, .standing)])
        #expect(malformed == 1)
    }

    @Test func `a kind of a newer version is a change that no event shows`() {
        #expect(decode(["\(Self.session) 5 q whatever"]).changes == [change(5, .other)])
    }
}
