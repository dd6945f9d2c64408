// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

extension PostgresJobQueue {
    /// See ``JobQueue``. One round trip on the claiming connection; another one for each that met paused jobs.
    /// Claimed for chat alone, jobs come with their ``TurnThread``.
    package func claim(_ limit: ClaimLimit, worker: WorkerID) async throws(JobQueueError) -> [ClaimedJob] {
        var (claimed, rest): ([ClaimedJob], ClaimLimit) = ([], limit)
        while rest.total > 0 {
            do throws(JobQueueError) {
                let (jobs, metPaused) = try await claimOnce(rest, worker: worker)
                claimed += jobs
                if !metPaused { break }
                rest = rest.without(jobs)
            } catch {
                // What an earlier round took is this worker's all the same.
                if claimed.isEmpty { throw error }
                break
            }
        }
        return claimed
    }

    private func claimOnce(
        _ limit: ClaimLimit, worker: WorkerID
    ) async throws(JobQueueError) -> (jobs: [ClaimedJob], metPaused: Bool) {
        try await mapping {
            // With room for four, always; else in as many of four cases, or a lane would take every slot that becomes
            // free by itself.
            let looksAtAged = Int.random(in: 0..<4) < limit.background
            let lanes = Bool.random() ? (Lane.summary, Lane.embedding) : (Lane.embedding, Lane.summary)
            let bounds = fronts?.bounds(for: limit)
            let start = ContinuousClock.now
            let (rows, threads) = try await take(
                ClaimStatements.claim(limit, worker: worker, aged: looksAtAged ? lanes : nil, from: bounds),
                threadsFor: limit.background == 0 ? worker : nil)
            fronts?.claimTook(ContinuousClock.now - start, jobs: rows.count)
            let jobs = try rows.compactMap { row throws in
                guard var job = try Self.claimed(row) else { return ClaimedJob?.none }
                job.attachment = threads[job.lease.job]
                return job
            }
            return (jobs, jobs.count < rows.count)
        }
    }

    /// Runs the claim; for chat, for which a person waits, with the threads of what it takes.
    private func take(
        _ claim: SQL, threadsFor worker: WorkerID?
    ) async throws(PostgresError) -> (PostgresRows, [JobID: TurnThread]) {
        guard let worker else { return (try await claimer.query(claim), [:]) }
        let answers: [PostgresRows]
        do throws(PostgresError) {
            answers = try await claimer.pipeline([claim, ClaimedThreads.statement(worker: worker)])
        } catch {
            // A thread that the database cannot read fails its own run, not the claims of everybody.
            guard error.sqlState != nil, !error.isRetryable, !error.isUnavailable else { throw error }
            return (try await claimer.query(claim), [:])
        }
        do throws(PersistenceError) { return (answers[0], try ClaimedThreads.read(answers[1])) } catch {
            return (answers[0], [:])
        }
    }

    /// A claimed job, or nil for one that was moved aside because its kind is paused.
    private static func claimed(_ row: PostgresRow) throws(PostgresError) -> ClaimedJob? {
        let (
            job, lease, kind, lane, gate, user, key, payload, attempt, maximum, crashes, hadOutput, limit, since,
            isFirst
        ) = try row.decode(
            JobID.self, Int64?.self, String.self, Int16.self, Int16.self, UserID.self, SerialKey?.self,
            String.self, Int16.self, Int16.self, Int16.self, Bool.self, Int64.self, Timestamp.self, Bool.self)
        guard let lease else { return nil }
        return ClaimedJob(
            lease: Lease(job: job, number: lease), kind: JobKind(rawValue: kind),
            lane: Lane(rawValue: lane) ?? .embedding, gate: gate, userID: user, serialKey: key,
            payload: Array(payload.utf8), attempt: attempt, maximumAttempts: maximum, crashes: crashes,
            needsRestart: hadOutput, runLimit: .milliseconds(limit), waitingSince: since, isFirstClaim: isFirst)
    }
}
