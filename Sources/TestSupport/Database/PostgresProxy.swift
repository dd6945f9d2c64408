// SPDX-License-Identifier: Apache-2.0
import Runtime
import Synchronization

/// Stands between programs and PostgreSQL, and loses what a test wants lost: a connection between a commit and its
/// answer, or notifications.
///
/// It understands the messages of the protocol. What the server says to a statement is held back until the server is
/// ready for the next one, so it is decided after the commit whether the client ever learns of it.
package final class PostgresProxy: Sendable {
    /// What a client asked up to one Sync, and what the server said to it.
    package struct Exchange: Sendable {
        /// The client's `application_name`.
        package var application = ""
        /// Texts of the statements since the session was last outside a transaction.
        package var statements: [String] = []
        /// Their command tags (`SELECT 1`, `COMMIT`), as far as they succeeded.
        package var tags: [String] = []
        /// The session is outside a transaction: what was to be committed is.
        package var isOver = false

        /// Whether a statement contains a text.
        package func asks(_ text: String) -> Bool { statements.contains { $0.contains(text) } }
    }

    struct State {
        var dropsNotifications = false
        var droppedNotificationCount = 0
        var cuts: [(condition: @Sendable (Exchange) -> Bool, done: Gate)] = []
        var withheldSync: String?
    }

    private let server: RawServer
    private let state: SharedState
    private let originalURL: String

    final class SharedState: Sendable {
        let value = Mutex(State())
    }

    /// In front of the server of a URL.
    package init(to url: String) throws {
        let address = try Self.address(in: url)
        let state = SharedState()
        self.state = state
        originalURL = url
        server = try RawServer { client in
            try PostgresProxySession(client: client, server: address, state: state).run()
        }
    }

    /// Runs a body with a proxy in front of the tests' server.
    package static func with<Value>(
        database: String, _ body: (_ proxy: PostgresProxy, _ url: String) async throws -> Value
    ) async throws -> Value {
        guard let url = TestCluster.url, let slash = url.lastIndex(of: "/") else { throw TestCluster.MissingServer() }
        let proxy = try PostgresProxy(to: url[...slash] + database)
        defer { proxy.stop() }
        return try await body(proxy, proxy.url)
    }

    /// The URL it was given, leading here.
    package var url: String {
        guard let at = originalURL.lastIndex(of: "@"), let slash = originalURL[at...].firstIndex(of: "/") else {
            return originalURL
        }
        return originalURL[...at] + "127.0.0.1:\(server.port)" + originalURL[slash...]
    }

    /// From now on no client hears a notification.
    package func dropNotifications() { state.value.withLock { $0.dropsNotifications = true } }

    /// How many were dropped.
    package var droppedNotificationCount: Int { state.value.withLock { $0.droppedNotificationCount } }

    /// The first exchange that satisfies ends its connection, and its client hears nothing of it.
    ///
    /// - Returns: a gate that opens when that has happened.
    package func cutOnce(when condition: @escaping @Sendable (Exchange) -> Bool) -> Gate {
        let done = Gate()
        state.value.withLock { $0.cuts.append((condition, done)) }
        return done
    }

    /// The Sync behind the next statement of this text stays here: the server carries the statement out, and waits.
    package func withholdSyncOnce(behind statement: String) { state.value.withLock { $0.withheldSync = statement } }

    /// Ends every connection.
    package func stop() { server.stop() }

    private static func address(in url: String) throws -> SocketAddress {
        let authority = url.split(separator: "@").last.map { $0.prefix { $0 != "/" } } ?? ""
        let parts = authority.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { throw Unheard(hasEnded: true, last: ["no address"]) }
        return SocketAddress(host: String(parts[0]), port: port)
    }
}
