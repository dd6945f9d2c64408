// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Budgets, blocks and breakers of provider configurations. Lock order: the configuration's row, then its places.
///
/// Rows are few (limited configurations, and those in trouble), so what reads all of them needs no index.
enum ProviderStatements {
    /// One at a time gives out gates.
    static let lockGates: SQL = "SELECT pg_advisory_xact_lock(723711797, 2)"

    /// The limits of a configuration; one that everybody shares also gets a gate, unless there are too many. A gate that
    /// was given is kept, for jobs may stand behind it. Index: providers_pkey, providers_gate_key.
    static func limit(_ model: ModelID, _ limits: ProviderLimits, wantsGate: Bool, maximumGates: Int32) -> SQL {
        """
        INSERT INTO providers AS p (model, gate, max_concurrent, requests_per_minute, tokens_per_minute)
        SELECT \(model), CASE WHEN \(wantsGate) AND count(gate) < \(maximumGates) THEN coalesce(max(gate), 0) + 1 END,
               \(limits.maximumConcurrent), \(limits.requestsPerMinute), \(limits.tokensPerMinute)
        FROM providers
        ON CONFLICT (model) DO UPDATE
        SET gate = coalesce(p.gate, excluded.gate), max_concurrent = excluded.max_concurrent,
            requests_per_minute = excluded.requests_per_minute, tokens_per_minute = excluded.tokens_per_minute,
            updated_at = now()
        """
    }

    /// Takes the limits away. Index: providers_pkey.
    static func unlimit(_ model: ModelID) -> SQL {
        """
        UPDATE providers SET max_concurrent = NULL, requests_per_minute = NULL, tokens_per_minute = NULL,
               updated_at = now()
        WHERE model = \(model)
        """
    }

    /// A row to be locked, for a configuration that has none. Index: providers_pkey.
    static func ensure(_ model: ModelID, _ limits: ProviderLimits) -> SQL {
        """
        INSERT INTO providers (model, max_concurrent, requests_per_minute, tokens_per_minute)
        VALUES (\(model), \(limits.maximumConcurrent), \(limits.requestsPerMinute), \(limits.tokensPerMinute))
        ON CONFLICT (model) DO NOTHING
        """
    }

    /// Locks a configuration's budgets. The time may be that of before the lock was waited for: then what is taken counts
    /// from a little earlier, and the process, which counts from before it asked, uses it no later. Index: providers_pkey.
    static func lockBudgets(_ model: ModelID) -> SQL {
        """
        SELECT max_concurrent, requests_per_minute, tokens_per_minute, request_slots, request_amounts,
               token_slots, token_amounts, place_wanted, clock_timestamp()
        FROM providers WHERE model = \(model) FOR UPDATE
        """
    }

    /// Places of all processes, and of one of them. Read under the row's lock. Index: provider_places_pkey.
    static func places(_ model: ModelID, worker: WorkerID) -> SQL {
        """
        SELECT coalesce(sum(places), 0)::bigint, coalesce(sum(places) FILTER (WHERE worker = \(worker)), 0)::bigint
        FROM provider_places WHERE model = \(model)
        """
    }

    /// Writes budgets back. Index: providers_pkey.
    static func storeBudgets(_ model: ModelID, _ ledger: ProviderLedger) -> SQL {
        """
        UPDATE providers
        SET request_slots = \(ledger.requests.slots), request_amounts = \(ledger.requests.amounts),
            token_slots = \(ledger.tokens.slots), token_amounts = \(ledger.tokens.amounts),
            place_wanted = \(ledger.isPlaceWanted)
        WHERE model = \(model)
        """
    }

    /// A process's places; none is no row. Index: provider_places_pkey.
    static func storePlaces(_ model: ModelID, worker: WorkerID, _ places: Int) -> SQL {
        if places <= 0 { return "DELETE FROM provider_places WHERE model = \(model) AND worker = \(worker)" }
        return """
            INSERT INTO provider_places (model, worker, places) VALUES (\(model), \(worker), \(Int32(clamping: places)))
            ON CONFLICT (model, worker) DO UPDATE SET places = excluded.places
            """
    }

    /// Every process that has places, with its counter: -1 when it has no row.
    static let holders: SQL = """
        SELECT p.model, p.worker, p.places, coalesce(w.beat, -1) FROM provider_places p
        LEFT JOIN workers w ON w.id = p.worker
        """

    /// Takes a dead process's places away, if it has not beaten since. Returns the configurations that have room now.
    static func release(_ worker: WorkerID, unlessBeatenSince beat: Int64) -> SQL {
        """
        WITH gone AS (
            DELETE FROM provider_places p WHERE worker = \(worker)
              AND coalesce((SELECT beat FROM workers w WHERE w.id = p.worker), -1) = \(beat)
            RETURNING model
        )
        UPDATE providers SET place_wanted = false WHERE model IN (SELECT model FROM gone) RETURNING model
        """
    }

    /// A process leaves in order.
    static func leave(_ worker: WorkerID) -> SQL {
        """
        WITH gone AS (DELETE FROM provider_places WHERE worker = \(worker) RETURNING model)
        UPDATE providers SET place_wanted = false WHERE model IN (SELECT model FROM gone) RETURNING model
        """
    }

    /// What every process has to know: gates, blocks, breakers. Times are told as microseconds from now, so that no
    /// process compares its clock with the database's. A trouble that nobody has met for an hour is none any more.
    static let statuses: SQL = """
        SELECT model, gate, max_concurrent, requests_per_minute, tokens_per_minute,
               CASE WHEN blocked_until > clock_timestamp()
                    THEN (extract(epoch FROM blocked_until - clock_timestamp()) * 1000000)::bigint END,
               blocked_reason, breaker_state, breaker_failures,
               CASE WHEN breaker_until > clock_timestamp()
                    THEN (extract(epoch FROM breaker_until - clock_timestamp()) * 1000000)::bigint END
        FROM providers
        WHERE gate IS NOT NULL OR blocked_until > clock_timestamp()
           OR ((breaker_state <> 0 OR breaker_failures > 0) AND breaker_failed_at > clock_timestamp() - interval '1 hour')
        """

    /// Nobody asks until then; a block that is longer stands. Index: providers_pkey.
    static func block(_ model: ModelID, microseconds: Int64, reason: String, _ limits: ProviderLimits) -> SQL {
        """
        INSERT INTO providers AS p (model, max_concurrent, requests_per_minute, tokens_per_minute, blocked_until,
                                    blocked_reason)
        VALUES (\(model), \(limits.maximumConcurrent), \(limits.requestsPerMinute), \(limits.tokensPerMinute),
                clock_timestamp() + \(microseconds) * interval '1 microsecond', \(reason))
        ON CONFLICT (model) DO UPDATE
        SET blocked_until = greatest(p.blocked_until, excluded.blocked_until),
            blocked_reason = excluded.blocked_reason, updated_at = now()
        """
    }

    /// Locks a configuration's breaker. Index: providers_pkey.
    static func lockBreaker(_ model: ModelID) -> SQL {
        """
        SELECT breaker_state, breaker_failures, breaker_openings, breaker_failed_at, breaker_until, clock_timestamp()
        FROM providers WHERE model = \(model) FOR UPDATE
        """
    }

    /// Writes a breaker back. Index: providers_pkey.
    static func storeBreaker(_ model: ModelID, _ breaker: CircuitBreaker) -> SQL {
        """
        UPDATE providers
        SET breaker_state = \(breaker.state.rawValue), breaker_failures = \(Int32(clamping: breaker.failures)),
            breaker_openings = \(Int32(clamping: breaker.openings)), breaker_failed_at = \(breaker.lastFailure),
            breaker_until = \(breaker.until), updated_at = now()
        WHERE model = \(model)
        """
    }

    /// How many jobs stand behind each gate, counted up to a limit in each lane. Index: ready_pkey, index only.
    static func backlog(gates: [Int16], limit: Int32) -> SQL {
        """
        SELECT g.gate, sum(b.count)::bigint
        FROM unnest(\(gates)) AS g (gate) CROSS JOIN unnest(\(Lane.allCases.map(\.rawValue))) AS l (lane)
        CROSS JOIN LATERAL (
            SELECT count(*) FROM (
                SELECT FROM ready r WHERE r.lane = l.lane AND r.gate = g.gate LIMIT \(limit)) q) b
        GROUP BY g.gate HAVING sum(b.count) > 0
        """
    }

    /// Back to wait, as if they had not been claimed: of jobs just claimed, those whose provider may not be asked. One
    /// that is to be cancelled stays, for its run ends it. Ordered by id, so that two batches cannot lock each other out.
    /// Index: running_pkey.
    static func putOff(
        jobs: [JobID], leases: [Int64], delays: [Int64], reasons: [String]
    ) -> SQL {
        """
        WITH given AS (
            SELECT * FROM unnest(\(jobs), \(leases), \(delays), \(reasons)) AS g (job, lease, delay, reason)
        ), locked AS MATERIALIZED (
            SELECT r.ctid FROM running r JOIN given g ON g.job = r.job AND g.lease = r.lease
            WHERE NOT r.cancel_requested ORDER BY r.job FOR UPDATE OF r
        ), gone AS (
            DELETE FROM running WHERE ctid = ANY (ARRAY (SELECT ctid FROM locked))
            RETURNING job, lease, attempt, crashes, had_output
        )
        INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
        SELECT clock_timestamp() + g.delay * interval '1 microsecond', n.job, n.lease, n.attempt - 1, n.crashes,
               n.had_output, g.reason
        FROM gone n JOIN given g ON g.job = n.job
        RETURNING job
        """
    }

    /// The models that sessions name, each for its owner. Index: sessions_pkey.
    static func sessionModels(_ sessions: [SessionID], owners: [UserID]) -> SQL {
        """
        SELECT s.id, s.model_id FROM unnest(\(sessions), \(owners)) AS g (id, owner)
        JOIN sessions s ON s.id = g.id AND s.user_id = g.owner
        """
    }

    /// The model that a session names. Index: sessions_pkey.
    static func sessionModel(_ session: SessionID, owner: UserID) -> SQL {
        "SELECT model_id FROM sessions WHERE id = \(session) AND user_id = \(owner)"
    }

    /// Rows that say nothing any more; a gate without limits goes when no unfinished job stands behind it. An hour of
    /// rest, because processes keep gates in memory for seconds. Index: jobs_gate.
    static let tidy: SQL = """
        DELETE FROM providers p
        WHERE max_concurrent IS NULL AND requests_per_minute IS NULL AND tokens_per_minute IS NULL
          AND updated_at < now() - interval '1 hour'
          AND (blocked_until IS NULL OR blocked_until < now())
          AND (gate IS NULL OR NOT EXISTS (SELECT FROM jobs j WHERE j.gate = p.gate AND j.gate > 0 AND j.state IS NULL))
        """
}
