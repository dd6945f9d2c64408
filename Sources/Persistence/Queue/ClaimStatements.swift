// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The claim, and what a worker asks about what it holds.
enum ClaimStatements {
    /// Takes the best jobs for the free slots, of all lanes at once.
    ///
    /// The steps lock no more rows than are taken: what one claimer had locked in vain, another would not find. The
    /// locked rows are deleted by `ctid` (a TID scan): joining the locked set against `ready` reads all of it. The
    /// steps are materialized: under a nested loop a `LIMIT … SKIP LOCKED` can be executed again and take more than it
    /// was asked for. A job of a paused kind is moved aside instead, which a null lease says; the caller claims again.
    /// Commits without waiting for the disk: `persist()` does that beside the
    /// run, before anybody sees anything of it.
    ///
    /// Without room for the background only the chat lane is looked at, which costs the server about a sixth less.
    ///
    /// `aged` are the background lanes that others may starve, in the order in which each is to be given one job when
    /// its first has waited for its target; nil looks at none of them, which is cheaper.
    ///
    /// `bounds` say where each line begins, so that what is dead before it is not walked over; nil for nearly all claims.
    ///
    /// Index: ready_pkey (lane, gate, tag) for each lane and gate, jobs_pkey.
    static func claim(
        _ limit: ClaimLimit, worker: WorkerID, aged: (Lane, Lane)? = nil, from bounds: ClaimBounds? = nil
    ) -> SQL {
        """
        WITH \(fragment: steps(limit, aged: aged, from: bounds)), taken AS (
            DELETE FROM ready WHERE ctid = ANY (ARRAY (\(fragment: places(limit))))
            RETURNING job, lease, attempt, crashes, had_output
        ), started AS MATERIALIZED (
            SELECT t.job, CASE WHEN j.kind <> ALL (ARRAY (SELECT kind FROM paused_kinds))
                               THEN greatest(t.lease + 1, f.number) END AS lease,
                   t.lease AS old, t.attempt, t.crashes, t.had_output, j.kind, j.lane, j.gate, j.tag, j.user_id,
                   j.serial_key, j.payload, j.max_attempts, j.deadline_ms,
                   greatest(j.created_at, j.run_at) AS since
            FROM taken t CROSS JOIN (SELECT lease_floor() AS number) f JOIN jobs j ON j.id = t.job
        ), leased AS (
            INSERT INTO running (job, lease, worker, attempt, crashes, had_output, started_at, deadline)
            SELECT job, lease, \(worker), attempt + 1, crashes, had_output, clock_timestamp(),
                   clock_timestamp() + deadline_ms * interval '1 millisecond'
            FROM started WHERE lease IS NOT NULL
        ), aside AS (
            INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
            SELECT 'infinity', job, old, attempt, crashes, had_output, 'paused' FROM started WHERE lease IS NULL
        )
        SELECT job, lease, kind, lane, gate, user_id, serial_key, payload, (attempt + 1)::smallint, max_attempts,
               crashes, had_output, deadline_ms, since, old = 0
        FROM started ORDER BY lane, tag, job
        """
    }

    private static func places(_ limit: ClaimLimit) -> SQL {
        limit.background == 0
            ? "SELECT place FROM chat" : "SELECT place FROM chat UNION ALL SELECT place FROM rest"
    }

    private static func steps(_ limit: ClaimLimit, aged: (Lane, Lane)?, from bounds: ClaimBounds?) -> SQL {
        if limit.background == 0 {
            return limit.gates.isEmpty ? openChat(limit, from: bounds) : gatedChat(limit, from: bounds)
        }
        if !limit.gates.isEmpty { return gatedSteps(limit, aged: aged, from: bounds) }
        return aged.map { openSteps(limit, aged: $0, from: bounds) } ?? openSteps(limit, from: bounds)
    }

    private static func openChat(_ limit: ClaimLimit, from bounds: ClaimBounds?) -> SQL {
        """
        chat AS MATERIALIZED (
            \(fragment: line(.chat, from: bounds)) LIMIT \(Int64(limit.total)) FOR UPDATE SKIP LOCKED
        )
        """
    }

    private static func gatedChat(_ limit: ClaimLimit, from bounds: ClaimBounds?) -> SQL {
        """
        gates AS MATERIALIZED (
            \(fragment: gates(limit, from: bounds))
        ), room AS MATERIALIZED (
            SELECT \(Int64(limit.total)) AS places
        ), chat AS MATERIALIZED (
            \(fragment: step(.chat, from: bounds, room: "room", used: "0", taken: ""))
        )
        """
    }

    /// Only what no gate stands before: nothing else is configured, or nothing else has room. A scan a lane, one after
    /// the other as long as there is room.
    private static func openSteps(_ limit: ClaimLimit, from bounds: ClaimBounds?) -> SQL {
        """
        \(fragment: openChat(limit, from: bounds)), rest AS MATERIALIZED (
            SELECT place FROM (
                SELECT place FROM (\(fragment: line(.title, from: bounds)) FOR UPDATE SKIP LOCKED) title
                UNION ALL SELECT place FROM (\(fragment: line(.summary, from: bounds)) FOR UPDATE SKIP LOCKED) summary
                UNION ALL SELECT place FROM (\(fragment: line(.embedding, from: bounds)) FOR UPDATE SKIP LOCKED) embedding) r
            LIMIT greatest(0, least(\(Int64(limit.background)), \(Int64(limit.total)) - (SELECT count(*) FROM chat)))
        )
        """
    }

    /// The same with a look at the lanes that others may starve, before anything else of the background.
    private static func openSteps(_ limit: ClaimLimit, aged: (Lane, Lane), from bounds: ClaimBounds?) -> SQL {
        """
        \(fragment: openChat(limit, from: bounds)), room AS MATERIALIZED (
            SELECT greatest(0, least(\(Int64(limit.background)), \(Int64(limit.total)) - (SELECT count(*) FROM chat)))
                AS places
        ), aged AS MATERIALIZED (
            SELECT r.ctid AS place
            FROM \(fragment: agedLanes(aged, from: bounds))
            CROSS JOIN LATERAL (
                SELECT q.ctid FROM ready q WHERE q.lane = l.lane AND q.gate = 0 AND q.tag < \(fragment: agedBefore)
                \(fragment: bounds == nil ? "" : "AND q.tag >= l.front ")ORDER BY q.lane, q.gate, q.tag, q.job LIMIT 1 FOR UPDATE SKIP LOCKED) r
            LIMIT (SELECT places FROM room)
        ), rest AS MATERIALIZED (
            (SELECT place FROM (
                SELECT place FROM (\(fragment: line(.title, from: bounds)) FOR UPDATE SKIP LOCKED) title
                UNION ALL SELECT place FROM (\(fragment: line(.summary, from: bounds)) FOR UPDATE SKIP LOCKED) summary
                UNION ALL SELECT place FROM (\(fragment: line(.embedding, from: bounds)) FOR UPDATE SKIP LOCKED) embedding) r
             WHERE place <> ALL (ARRAY (SELECT place FROM aged))
             LIMIT (SELECT places - (SELECT count(*) FROM aged) FROM room))
            UNION ALL SELECT place FROM aged
        )
        """
    }

    /// The lanes to look at, in the order given, each with its number and the wait after which its first job is old.
    /// With bounds also where each begins behind the open gate.
    private static func agedLanes(_ lanes: (Lane, Lane), from bounds: ClaimBounds?) -> SQL {
        guard let bounds else {
            return """
                (VALUES (1, \(lanes.0.rawValue), \(lanes.0.targetWaitMicroseconds)),
                        (2, \(lanes.1.rawValue), \(lanes.1.targetWaitMicroseconds))) l (number, lane, wait)
                """
        }
        return """
            (VALUES (1, \(lanes.0.rawValue), \(lanes.0.targetWaitMicroseconds), \(bounds.front(lanes.0, gate: 0))),
                    (2, \(lanes.1.rawValue), \(lanes.1.targetWaitMicroseconds), \(bounds.front(lanes.1, gate: 0))))
                l (number, lane, wait, front)
            """
    }

    /// The tag of a job that has waited for its lane's target.
    ///
    /// A tag is about the time when the lane was last empty, so a lane that is never worked off counts as old, however
    /// young its first job: it gets its share, no more. `now()` and not the clock itself, which no index can be
    /// searched by.
    private static let agedBefore: SQL = "(extract(epoch FROM now()) * 1000000)::bigint - l.wait"

    private static func line(_ lane: Lane, from bounds: ClaimBounds?) -> SQL {
        let bound: SQL = bounds.map { "AND tag >= \($0.front(lane, gate: GateAllowance.open)) " } ?? ""
        return """
            SELECT ctid AS place FROM ready q WHERE lane = \(fragment: number(lane)) AND gate = 0
            \(fragment: bound)ORDER BY lane, gate, tag, job
            """
    }

    /// A literal, so that each step is planned for its lane.
    private static func number(_ lane: Lane) -> SQL {
        switch lane {
        case .chat: "0"
        case .title: "1"
        case .summary: "2"
        case .embedding: "3"
        }
    }

    private static let agedFront: SQL = "AND q.tag >= CASE l.lane WHEN 2 THEN g.front_2 ELSE g.front_3 END "

    /// Within a lane the gates follow each other by their first job; a gate that is not named is not looked at, however
    /// many jobs wait behind it. Each lane is a step that knows how much room and allowance those before it left.
    private static func gatedSteps(_ limit: ClaimLimit, aged: (Lane, Lane)?, from bounds: ClaimBounds?) -> SQL {
        """
        \(fragment: gatedChat(limit, from: bounds)), room_0 AS MATERIALIZED (
            SELECT least(\(Int64(limit.background)), places - (SELECT count(*) FROM chat)) AS places FROM room
        ), aged AS MATERIALIZED (
            SELECT r.ctid AS place, g.gate
            FROM \(fragment: agedLanes(aged ?? (.summary, .embedding), from: nil)) CROSS JOIN gates g
            CROSS JOIN LATERAL (
                SELECT q.ctid FROM ready q WHERE q.lane = l.lane AND q.gate = g.gate AND q.tag < \(fragment: agedBefore)
                \(fragment: bounds == nil ? "" : agedFront)ORDER BY q.lane, q.gate, q.tag, q.job
                LIMIT CASE WHEN g.gate = 0 OR g.most - \(fragment: used("chat")) >= l.number THEN 1 ELSE 0 END
                FOR UPDATE SKIP LOCKED) r
            LIMIT (SELECT CASE WHEN \(aged != nil) THEN places ELSE 0 END FROM room_0)
        ), room_1 AS MATERIALIZED (
            SELECT places - (SELECT count(*) FROM aged) AS places FROM room_0
        ), title AS MATERIALIZED (
            \(fragment: step(.title, from: bounds, room: "room_1", used: used("chat UNION ALL TABLE aged")))
        ), room_2 AS MATERIALIZED (
            SELECT places - (SELECT count(*) FROM title) AS places FROM room_1
        ), summary AS MATERIALIZED (
            \(fragment: step(.summary, from: bounds, room: "room_2", used: used("chat UNION ALL TABLE aged UNION ALL TABLE title")))
        ), room_3 AS MATERIALIZED (
            SELECT places - (SELECT count(*) FROM summary) AS places FROM room_2
        ), embedding AS MATERIALIZED (
            \(fragment: step(
                .embedding, from: bounds, room: "room_3", used: used(
                    "chat UNION ALL TABLE aged UNION ALL TABLE title UNION ALL TABLE summary")))
        ), rest AS (
            TABLE aged UNION ALL TABLE title UNION ALL TABLE summary UNION ALL TABLE embedding
        )
        """
    }

    /// The gates that may be looked at, with their allowance, and with bounds the front of each lane behind them.
    private static func gates(_ limit: ClaimLimit, from bounds: ClaimBounds?) -> SQL {
        let numbers = [GateAllowance.open] + limit.gates.map(\.gate)
        let allowances = [Int64(limit.total)] + limit.gates.map { Int64($0.atMost) }
        guard let bounds else {
            return "SELECT gate, most FROM unnest(\(numbers), \(allowances)) AS g (gate, most)"
        }
        func fronts(_ lane: Lane) -> [Int64] { numbers.map { bounds.front(lane, gate: $0) } }
        return """
            SELECT * FROM unnest(\(numbers), \(allowances), \(fronts(.chat)), \(fronts(.title)), \(fronts(.summary)),
                                 \(fronts(.embedding)))
                AS g (gate, most, front_0, front_1, front_2, front_3)
            """
    }

    /// The rows of one lane that are taken: of each gate at most what its allowance has left, in all at most the room.
    /// The nested loop is lazy: it locks a row only when that is wanted.
    private static func step(
        _ lane: Lane, from bounds: ClaimBounds?, room: SQL, used: SQL, taken: SQL = notAged
    ) -> SQL {
        let lane = number(lane)
        func bound(_ gate: SQL) -> SQL {
            bounds == nil ? "" : " AND q.tag >= \(fragment: gate).front_\(fragment: lane)"
        }
        return """
            SELECT r.ctid AS place, g.gate
                FROM (SELECT o.* FROM gates o
                      ORDER BY (SELECT tag FROM ready q
                                WHERE q.lane = \(fragment: lane) AND q.gate = o.gate\(fragment: bound("o"))
                                ORDER BY q.lane, q.gate, q.tag LIMIT 1)) g
                CROSS JOIN LATERAL (
                    SELECT q.ctid FROM ready q
                    WHERE q.lane = \(fragment: lane) AND q.gate = g.gate\(fragment: bound("g"))\(fragment: taken)
                    ORDER BY q.lane, q.gate, q.tag, q.job
                    LIMIT CASE WHEN g.gate = 0 THEN g.most ELSE greatest(0, g.most - \(fragment: used)) END
                    FOR UPDATE SKIP LOCKED) r
                LIMIT (SELECT places FROM \(fragment: room))
            """
    }

    private static let notAged: SQL = " AND q.ctid <> ALL (ARRAY (SELECT place FROM aged))"

    /// How many jobs of the gate at hand the lanes before took.
    private static func used(_ earlier: SQL) -> SQL {
        "(SELECT count(*) FROM (TABLE \(fragment: earlier)) e WHERE e.gate = g.gate)"
    }

    /// What the database believes a worker to hold, and which of it is to be cancelled. Index: running_worker.
    static func held(by worker: WorkerID) -> SQL {
        "SELECT job, lease, cancel_requested FROM running WHERE worker = \(worker)"
    }
}

extension Lane {
    fileprivate var targetWaitMicroseconds: Int64 { (targetWait ?? .zero).wholeMilliseconds * 1000 }
}
