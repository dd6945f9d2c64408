// SPDX-License-Identifier: Apache-2.0
import JSON
import Postgres
import TestSupport
import Testing

/// Carries a schedule out on a database and processes of its own, and looks at what is left.
struct FaultRun {
    /// Ends the deployment as failed, so that it keeps its logs.
    private struct Broken: Error {}

    let plan: FaultPlan
    let cluster: PrivateCluster
    let deployment: Deployment
    let fleet: FaultFleet
    private let leases = LeaseWatch()
    /// From the order to crash the database until it was down: what it had not yet written to its disk is gone.
    private let crashes = Recorder<[ClosedRange<ContinuousClock.Instant>]>([])

    /// - Returns: every invariant that was broken; none when all is well.
    static func violations(of plan: FaultPlan) async throws -> [String] {
        try await PrivateCluster.with { cluster in
            try await cluster.migrate()
            let found = Recorder<[String]>([])
            let models = (0..<plan.size.turnCount).map(FaultPlan.Turn.model)
            let environment = [
                "OPENAI_MODELS": (["sim/text"] + models).joined(separator: ","), "PROVIDER_MAX_IDLE_MS": "700",
                "PROVIDER_TIMEOUT_MS": "20000", "SHUTDOWN_GRACE_MS": "500", "LOG_LEVEL": "info",
            ]
            do {
                try await Deployment.with(
                    .serve, .serve, .work, .work, environment: environment, database: cluster.url, mayLogErrors: true
                ) { deployment, processes in
                    let run = FaultRun(
                        plan: plan, cluster: cluster, deployment: deployment, fleet: FaultFleet(deployment, processes))
                    let violations = try await run.run()
                    found.withLock { $0 = violations }
                    if !violations.isEmpty { throw Broken() }
                }
            } catch is Broken {}
            return found.withLock { $0 }
        }
    }

    private func run() async throws -> [String] {
        let sessions = try await begin()
        let (models, baseline) = (try await modelIDs(), try await ProcessFootprint.all(of: deployment, fleet))
        let outcomes = try await carryOut(sessions, models)
        var violations = fleet.violations + leases.violations
        do {
            try await deployment.everythingEnded()
        } catch { violations.append("not every job has ended: \(error)") }
        let check = FaultCheck(
            plan: plan, deployment: deployment, fleet: fleet, outcomes: outcomes, crashes: crashes.withLock { $0 })
        violations += try await check.violations()
        violations += try await ProcessFootprint.leaks(of: deployment, fleet, since: baseline)
        return violations + fleet.violations
    }

    /// Conversations, each of which has had a turn, so that every process has what it keeps.
    private func begin() async throws -> [String] {
        var sessions: [String] = []
        for index in 0..<FaultPlan.conversationCount {
            let client = try await fleet.client(index)
            let session = try await client.newSession(model: Deployment.model, title: "Conversation \(index)")
            sessions.append(session)
        }
        for session in sessions {
            _ = try await fleet.client(0).post(simulate(["tokens": 3]), to: session).read()
            _ = try await fleet.client(1).post(simulate(["tokens": 3]), to: session).read()
        }
        return sessions
    }

    private func modelIDs() async throws -> [String] {
        let listed = try await fleet.client(0).call("GET", "/api/models")["system"]?.arrayValue ?? []
        let pairs = listed.map { ($0["model"]?.stringValue ?? "", $0["id"]?.stringValue ?? "") }
        let ids = Dictionary(pairs) { first, _ in first }
        return (0..<plan.size.turnCount).map { ids[FaultPlan.Turn.model($0)] ?? "" }
    }

    private func carryOut(_ sessions: [String], _ models: [String]) async throws -> [FaultOutcome] {
        let began = ContinuousClock.now
        let outcomes = Recorder<[FaultOutcome]>([])
        try await withThrowingDiscardingTaskGroup { group in
            for moment in plan.moments {
                await Pause.until(began + .milliseconds(moment.atMilliseconds))
                if case .turn(let turn) = moment.step {
                    let client = FaultClient(
                        fleet: fleet, turn: turn, session: sessions[turn.conversation], modelID: models[turn.number])
                    group.addTask {
                        let outcome = await client.run()
                        outcomes.withLock { $0.append(outcome) }
                    }
                } else if case .crashDatabase = moment.step {
                    // In the line of the schedule: what needs the database comes after it.
                    let ordered = ContinuousClock.now
                    try await cluster.crash()
                    crashes.withLock { $0.append(ordered...ContinuousClock.now) }
                    try await cluster.start()
                } else {
                    group.addTask { try await perform(moment.step, sessions) }
                }
                try await leases.look(at: deployment)
            }
        }
        return outcomes.withLock { $0 }.sorted { $0.turn.number < $1.turn.number }
    }

    private func perform(_ step: FaultPlan.Step, _ sessions: [String]) async throws {
        switch step {
        case .turn, .crashDatabase: break
        case .stop(let conversation, let api): await stop(sessions[conversation], api)
        case .killWorker(let worker): try await fleet.kill(worker: worker)
        case .killAPI(let api): try await fleet.kill(api: api)
        case .endWorker(let worker): try await fleet.end(worker: worker)
        case .suspendWorker(let worker, let pause): await fleet.suspend(worker: worker, for: .milliseconds(pause))
        case .suspendAPI(let api, let pause): await fleet.suspend(api: api, for: .milliseconds(pause))
        case .endConnection(let number):
            do {
                let sessions = try await deployment.sessions()
                if !sessions.isEmpty { try await deployment.end(sessions[number % sessions.count]) }
            } catch is PostgresError {
                // The database is down at this moment, and with it every connection.
                return
            }
        }
    }

    private func stop(_ session: String, _ first: Int) async {
        for api in first..<(first + 20) {
            do {
                _ = try await fleet.client(api).call("POST", "/api/chat/stop", ["sessionId": .string(session)])
                return
            } catch { await Pause.short() }
        }
    }
}
