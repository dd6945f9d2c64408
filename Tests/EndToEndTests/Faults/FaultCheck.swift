// SPDX-License-Identifier: Apache-2.0
import Postgres
import TestSupport

/// What must hold when a schedule is over and every job has ended, whatever the schedule was.
struct FaultCheck {
    let plan: FaultPlan
    let deployment: Deployment
    let fleet: FaultFleet
    let outcomes: [FaultOutcome]
    let crashes: [ClosedRange<ContinuousClock.Instant>]

    func violations() async throws -> [String] {
        var violations: [String] = []
        for outcome in outcomes {
            var found = outcome.complaints + outcome.reply.violations
            if !outcome.isAcknowledged { found.append("never acknowledged") }
            if outcome.isAcknowledged {
                found += end(of: outcome)
                found += try await stored(outcome)
                found += try await log(of: outcome)
                found += try await usage(of: outcome)
                found += try await replays(of: outcome)
            }
            violations += found.map { "turn \(outcome.turn.number) (job \(outcome.jobID)): \($0)" }
        }
        for process in fleet.survivors {
            violations += process.lines(level: "error").filter { $0.contains("without a head") }
        }
        return violations
    }

    /// A turn that nobody stopped and whose provider comes round is answered in full; workers that die three times
    /// under one job are the one excuse.
    private func end(of outcome: FaultOutcome) -> [String] {
        guard let last = outcome.reply.frames.last, outcome.reply.isOver else { return ["no end"] }
        let words = outcome.reply.text.split(separator: " ").count
        if last.event == "complete" {
            if last["finishReason"] == "cancelled" { return [] }
            return words == outcome.turn.tokens ? [] : ["\(words) of \(outcome.turn.tokens) words"]
        }
        let isLasting = outcome.turn.provider.map { $0.times == nil } ?? false
        return isLasting || last["code"] == "poison" ? [] : ["ended with \(last)"]
    }

    /// The message and its reply are stored once, and the stored text is the client's.
    private func stored(_ outcome: FaultOutcome) async throws -> [String] {
        let rows = try await deployment.withConnection { connection in
            try await connection.query(
                """
                SELECT r.content, r.status, (SELECT u.content FROM messages u WHERE u.id = r.parent_id),
                       (SELECT count(*) FROM messages o WHERE o.parent_id = r.parent_id)
                FROM messages r WHERE r.id::text = \(outcome.messageID) AND r.job_id::text = \(outcome.jobID)
                """
            ).decode(String.self, String.self, String?.self, Int64.self)
        }
        guard let (content, status, question, siblings) = rows.first else { return ["the reply is not stored"] }
        var found: [String] = []
        if content != outcome.reply.text { found.append("stored “\(content)”, told “\(outcome.reply.text)”") }
        if question != outcome.turn.message { found.append("the message is stored as \(question ?? "nothing")") }
        if siblings != 1 { found.append("\(siblings) replies") }
        if !["complete", "incomplete", "failed"].contains(status) { found.append("the reply's status is \(status)") }
        if let repeated = outcome.repeated {
            if repeated.jobID != outcome.jobID { found.append("repeated, it is job \(repeated.jobID)") }
            if repeated.text != outcome.reply.text { found.append("repeated, it is “\(repeated.text)”") }
        }
        return found
    }

    /// The log has no gap in any lease, one last event, and it belongs to the lease that ended the job.
    private func log(of outcome: FaultOutcome) async throws -> [String] {
        try await deployment.withConnection { connection in
            let leases = try await connection.query(
                """
                SELECT lease, count(*), min(seq), max(seq), count(*) FILTER (WHERE kind IN (10, 11))
                FROM events WHERE job::text = \(outcome.jobID) GROUP BY lease ORDER BY lease
                """
            ).decode(Int64.self, Int64.self, Int32.self, Int32.self, Int64.self)
            let record = try await connection.query(
                "SELECT state, lease FROM jobs WHERE id::text = \(outcome.jobID)"
            ).decodeFirst(Int16?.self, Int64?.self)
            var found: [String] = []
            for (lease, count, first, last, _) in leases where first != 1 || Int64(last) != count {
                found.append("lease \(lease) has \(count) events from \(first) to \(last)")
            }
            let ends = leases.filter { $0.4 > 0 }
            if ends.map(\.4) != [1] || ends.first?.0 != leases.last?.0 {
                found.append("last events by lease: \(ends.map { "\($0.0): \($0.4)" }) of \(leases.count) leases")
            }
            if record?.0 == nil { found.append("the job has no end") }
            if record?.1 != leases.last?.0 { found.append("ended by \(record?.1 ?? 0), log by \(leases.last?.0 ?? 0)") }
            return found
        }
    }

    /// One row of the ledger a call of the provider, as far as both sides can know:
    ///
    /// - A call that the provider saw has a row. The row is written before the call without waiting for the disk, so a
    ///   database that crashes within the next second may take it back.
    /// - A row without a call is a run that was ended between the two: killed, handed over or stopped. So a job has at
    ///   most one such row a lease beside its last, and one more when it was stopped.
    /// - The lease that completed a reply has a closed row.
    private func usage(of outcome: FaultOutcome) async throws -> [String] {
        let (rows, leases, isLastClosed) = try await deployment.withConnection { connection in
            let row = try await connection.query(
                """
                SELECT count(*), count(DISTINCT u.lease), coalesce(bool_or(u.closed AND u.lease = j.lease), false)
                FROM usage u JOIN jobs j ON j.id = u.job WHERE u.job::text = \(outcome.jobID)
                """
            ).decodeFirst(Int64.self, Int64.self, Bool.self)
            return (Int(row?.0 ?? 0), Int(row?.1 ?? 0), row?.2 ?? false)
        }
        let calls = deployment.simulator.requests.filter { request in
            // A stream that is refused is followed by the same call for the whole: both are one.
            request.model == outcome.turn.model
                && !(request.isStreamed && outcome.turn.provider?.name == "refuseStream")
        }
        let takenBack = calls.count { call in
            crashes.contains { ($0.lowerBound - .seconds(1)...$0.upperBound).contains(call.arrivedAt) }
        }
        let isStopped = outcome.reply.last("complete")?["finishReason"] == "cancelled"
        var found: [String] = []
        if rows < calls.count - takenBack { found.append("\(calls.count) calls, \(rows) rows of usage") }
        if rows > calls.count + max(0, leases - 1) + (isStopped ? 1 : 0) {
            found.append("\(rows) rows of usage in \(leases) leases, \(calls.count) calls")
        }
        if outcome.reply.last("complete") != nil, !isStopped, !isLastClosed { found.append("the usage is not closed") }
        return found
    }

    /// From every cursor, or from some of them spread over the whole when there are many, on every process: what the
    /// client has up to there and what is told from there on give the stored text.
    private func replays(of outcome: FaultOutcome) async throws -> [String] {
        let frames = outcome.reply.frames
        let cursors = frames.indices.filter { frames[$0].id != nil }
        let step = max(1, cursors.count / 12)
        let chosen = [nil] + cursors.enumerated().filter { $0.offset % step == 0 }.map { Optional($0.element) }
        var found: [String] = []
        for (number, index) in chosen.enumerated() {
            var known = Reply()
            if let index { for frame in frames[...index] { known.take(frame) } }
            if known.isOver { continue }
            let stream = try await fleet.client(number).attach(to: outcome.messageID, after: known.cursor)
            let reply = try await stream.read(into: known)
            if reply.text != outcome.reply.text || !reply.isOver || !reply.violations.isEmpty {
                found.append("from \(known.cursor ?? "the start"): “\(reply.text)” \(reply.violations)")
            }
            if index == nil, !plan.crashesDatabase, reply.logged != outcome.reply.logged {
                found.append("the log differs from what was told")
            }
        }
        return found
    }
}
