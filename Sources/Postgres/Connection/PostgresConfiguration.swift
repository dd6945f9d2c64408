// SPDX-License-Identifier: Apache-2.0

/// Where the database is and how a connection to it behaves.
package struct PostgresConfiguration: Sendable, CustomStringConvertible {
    /// Shown in `pg_stat_activity`.
    package var applicationName = "switchyard"
    /// Settings of the session from its first moment, such as `synchronous_commit` = `off`, `statement_timeout` = `5s`.
    ///
    /// What is read stays in memory or on disks that seek for nothing. With the server's own `random_page_cost` of 4 a
    /// claim from a long line sorts all of it instead of walking its index: 11 000 jobs a second instead of 60 000.
    package var runtimeParameters = ["random_page_cost": "1.1"]
    /// From the first packet to the first statement.
    package var connectTimeout: Duration = .seconds(5)
    /// How long a statement that was cancelled may still take to end before the connection is given up.
    package var cancelGrace: Duration = .seconds(5)
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
    package var tcpUserTimeout: Duration = .seconds(10)
    /// Statements kept prepared a connection; the least recently used is deallocated for a new one.
    package var preparedStatementLimit = 256
    /// Statements on the wire at once; the others wait where they can still be dropped.
    package var inFlightLimit = 64
    /// Calls that may wait for one connection; one more is refused with `queueFull`.
    package var waitingLimit = 1024

    private var settings: [String: String]

    /// - Parameter url: `postgresql://…` or `host=… dbname=…`, with every setting libpq knows.
    /// - Throws: `invalidConfiguration`.
    package init(url: String) throws(PostgresError) {
        settings = try ConnectionString.parse(url)
    }

    /// For connections with this duty: `switchyard/<role>` tells them apart in `pg_stat_activity`.
    package func serving(_ role: StaticString) -> PostgresConfiguration {
        var copy = self
        copy.applicationName = "switchyard/\(role)"
        return copy
    }

    /// The same server and user, another database.
    package func withDatabase(_ name: String) -> PostgresConfiguration {
        var copy = self
        copy.settings["dbname"] = name
        return copy
    }

    /// The database's name, when it was given.
    package var databaseName: String? { settings["dbname"] }

    /// Without user and password.
    package var description: String {
        "postgres \(settings["host"] ?? "local"):\(settings["port"] ?? "5432")/\(databaseName ?? "")"
    }

    /// What libpq is given. Waits for name servers when a host is a name.
    func resolved() throws(PostgresError) -> [(String, String)] {
        var settings = settings
        if settings["hostaddr"] == nil, let host = settings["host"], !host.isEmpty {
            try Self.resolve(host, in: &settings)
        }
        settings["application_name"] = applicationName
        settings["fallback_application_name"] = nil
        settings["client_encoding"] = "UTF8"
        settings["keepalives"] = "1"
        settings["keepalives_idle"] = "10"
        settings["keepalives_interval"] = "3"
        settings["keepalives_count"] = "3"
        settings["tcp_user_timeout"] = String(tcpUserTimeout.milliseconds)
        let assignments = try runtimeParameters.sorted { $0.key < $1.key }.map { (name, value) throws(PostgresError) in
            try Self.assignment(name, value)
        }
        if !assignments.isEmpty {
            settings["options"] = ([settings["options"] ?? ""] + assignments).joined(separator: " ")
        }
        return settings.map { ($0.key, $0.value) }
    }

    /// Whether ``resolved()`` asks a name server.
    var needsNameServer: Bool {
        guard settings["hostaddr"] == nil, let host = settings["host"] else { return false }
        return host.split(separator: ",").contains { Self.isName(String($0)) }
    }

    private static func isName(_ host: String) -> Bool {
        !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@") && !NameResolution.isAddress(host)
    }

    /// One entry an address; host and port are repeated beside it, the host for the certificate's sake.
    private static func resolve(_ host: String, in settings: inout [String: String]) throws(PostgresError) {
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let ports = (settings["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard ports.count <= 1 || ports.count == hosts.count else {
            throw PostgresError(.invalidConfiguration, detail: "as many ports as hosts, or one")
        }
        var expanded: (hosts: [String], addresses: [String], ports: [String]) = ([], [], [])
        for (index, host) in hosts.enumerated() {
            let addresses: [String]
            if isName(host) {
                addresses = try NameResolution.addresses(of: host)
            } else {
                addresses = [NameResolution.isAddress(host) ? host : ""]
            }
            for address in addresses {
                expanded.hosts.append(host)
                expanded.addresses.append(address)
                expanded.ports.append(ports.count > 1 ? ports[index] : ports.first ?? "")
            }
        }
        settings["host"] = expanded.hosts.joined(separator: ",")
        settings["hostaddr"] = expanded.addresses.joined(separator: ",")
        settings["port"] = expanded.ports.joined(separator: ",")
    }

    private static func assignment(_ name: String, _ value: String) throws(PostgresError) -> String {
        guard !name.isEmpty,
            name.utf8.allSatisfy({ byte in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            }), !value.utf8.contains(0)
        else {
            throw PostgresError(.invalidConfiguration, detail: "the setting \(name) has no valid name or value")
        }
        var escaped = ""
        for character in value {
            if character == " " || character == "\\" { escaped.append("\\") }
            escaped.append(character)
        }
        return "-c \(name)=\(escaped)"
    }
}

extension Duration {
    /// Whole milliseconds, for settings of the server and of the kernel.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
