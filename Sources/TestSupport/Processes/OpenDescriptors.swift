// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// What a process has open, told apart by where it leads: a leak shows as what nothing explains.
package struct OpenDescriptors: Sendable, CustomStringConvertible {
    /// Accepted connections.
    package private(set) var clientCount = 0
    /// Connections to the port of a database.
    package private(set) var databaseCount = 0
    /// Connections to the port of a provider.
    package private(set) var providerCount = 0
    /// All else, by what the kernel calls it: `anon_inode:[eventpoll]`, `pipe`, `socket`, …
    package private(set) var others: [String: Int] = [:]

    /// All else.
    package var otherCount: Int { others.values.reduce(0, +) }
    /// For the test's report.
    package var description: String {
        "\(clientCount) clients, \(databaseCount) to the database, \(providerCount) to providers, \(others)"
    }

    /// Looks at a process of this machine.
    ///
    /// - Throws: when it has gone.
    package init(of process: SwitchyardProcess, listeningAt port: UInt16?, database: UInt16, provider: UInt16) throws {
        let folder = "/proc/\(process.child.pid)"
        let sockets = try Self.sockets(try TextFile.read("\(folder)/net/tcp"))
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/fd") {
            let target: String
            // It may be closed between the two looks.
            do { target = try TextFile.link("\(folder)/fd/\(name)") } catch { continue }
            let inode = target.split(separator: ":").last.map { $0.filter(\.isNumber) } ?? ""
            guard target.hasPrefix("socket:"), let socket = sockets[inode] else {
                others[target.hasPrefix("/") ? target : target.filter { !$0.isNumber }, default: 0] += 1
                continue
            }
            if socket.isListening {
                others["listener", default: 0] += 1
            } else if socket.remotePort == database {
                databaseCount += 1
            } else if socket.remotePort == provider {
                providerCount += 1
            } else if socket.localPort == port {
                clientCount += 1
            } else {
                others["connection", default: 0] += 1
            }
        }
    }

    private struct Connection {
        let localPort: UInt16
        let remotePort: UInt16
        let isListening: Bool
    }

    /// Connections by inode, out of the kernel's table.
    private static func sockets(_ table: String) throws -> [String: Connection] {
        var sockets: [String: Connection] = [:]
        for line in table.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: " ")
            guard columns.count > 9, let local = port(columns[1]), let remote = port(columns[2]) else { continue }
            sockets[String(columns[9])] = Connection(
                localPort: local, remotePort: remote, isListening: columns[3] == "0A")
        }
        return sockets
    }

    private static func port(_ address: Substring) -> UInt16? {
        address.split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
    }
}
