// SPDX-License-Identifier: Apache-2.0
import JSON
import Postgres
import Runtime
import TestSupport

/// What a process holds while nothing happens, before a run and after it.
struct ProcessFootprint: Sendable {
    /// `DATABASE_POOL_SIZE` of ``SwitchyardProcess``, and the connections with a duty of their own.
    private static let mostConnections: [SwitchyardProcess.Role: Int] = [.serve: 4 + 3, .work: 4 + 5]
    /// What a process opens only when it is needed for the first time: a library's wake-up, a timer.
    private static let lateDescriptors = 3

    let role: SwitchyardProcess.Role
    let descriptors: OpenDescriptors

    static func all(of deployment: Deployment, _ fleet: FaultFleet) async throws -> [ProcessFootprint] {
        var all: [ProcessFootprint] = []
        for process in fleet.survivors { all.append(try await look(at: process, deployment)) }
        return all
    }

    /// Complaints about the processes that have survived: clients that left and are still held, more connections than
    /// a process may have, descriptors that nothing explains, readers and runs of which there are none any more.
    static func leaks(
        of deployment: Deployment, _ fleet: FaultFleet, since baseline: [ProcessFootprint]
    ) async throws -> [String] {
        var leaks: [String] = []
        for process in fleet.survivors {
            let before = baseline.filter { $0.role == process.role }.map(\.descriptors.otherCount).max() ?? 0
            do {
                try await deployment.until(within: .seconds(10)) {
                    let now = try await look(at: process, deployment).descriptors
                    let isFine =
                        now.clientCount == 0 && now.databaseCount <= mostConnections[process.role] ?? 0
                        && now.otherCount <= before + lateDescriptors
                    return isFine ? nil : "\(process.role) holds \(now); others before: \(before)"
                }
            } catch { leaks.append("leak: \(error)") }
            if process.role == .serve { leaks += try await busyGauges(of: process) }
        }
        let roles = Dictionary(grouping: try await deployment.sessions(), by: \.role).mapValues(\.count)
        for (role, count) in roles where count > (role == "switchyard/pool" ? 4 : 1) * fleet.survivors.count {
            leaks.append("leak: \(count) sessions of \(role)")
        }
        return leaks
    }

    private static func look(at process: SwitchyardProcess, _ deployment: Deployment) async throws -> ProcessFootprint {
        let port = process.role == .work ? nil : try await process.address().port
        return ProcessFootprint(
            role: process.role,
            descriptors: try OpenDescriptors(
                of: process, listeningAt: port, database: try deployment.databasePort(),
                provider: deployment.simulator.port))
    }

    /// Gauges that count what is under way, and are not zero though nothing is. Each is looked at until it is.
    private static func busyGauges(of process: SwitchyardProcess) async throws -> [String] {
        let quiet = [
            "switchyard_http_event_streams", "switchyard_stream_subscribers", "switchyard_postgres_pool_waiting",
        ]
        var busy: [String] = []
        let deadline = ContinuousClock.now + .seconds(10)
        repeat {
            let text = try await process.client().send("GET", "/metrics").json.stringValue ?? ""
            busy = text.split(separator: "\n").filter { line in
                quiet.contains { line.hasPrefix($0) } && !line.hasSuffix(" 0")
            }.map { "leak: \($0)" }
            if !busy.isEmpty { await Pause.short() }
        } while !busy.isEmpty && ContinuousClock.now < deadline
        return busy
    }
}

extension Deployment {
    /// The port in the URL of the database.
    func databasePort() throws -> UInt16 {
        let digits = database.split(separator: "@").last?.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
        guard let port = UInt16(digits) else { throw Unheard(hasEnded: true, last: ["no port in the database's URL"]) }
        return port
    }
}
