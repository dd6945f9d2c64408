// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// How much there is to do, by lane and kind, and how fast it is done.
package struct QueueOverview: Sendable {
    /// More jobs of a lane's line are not counted.
    package static let maximumPerLane = 100_000
    /// More jobs are not looked at for the counts by kind, of each lane's line and of each other table.
    package static let maximumPerKind = 2000

    /// Counts of a lane, or of a kind within one.
    package struct Load: Sendable {
        /// Could run now.
        package fileprivate(set) var readyCount = 0
        /// Behind another job of their serial key.
        package fileprivate(set) var waitingCount = 0
        /// Run.
        package fileprivate(set) var runningCount = 0
        /// Wait for a time, a retry or the end of a pause, by reason.
        package fileprivate(set) var deferredCounts: [String: Int] = [:]
        /// How long the oldest of those that could run has waited; `nil` when there is none.
        package fileprivate(set) var oldestAge: Duration?
        /// Jobs that ended well within ``RecentRuns/window``, of the workers that live.
        package fileprivate(set) var completedCount = 0
        /// Jobs that failed for good within it.
        package fileprivate(set) var failedCount = 0

        /// Everything that has not ended and does not run.
        package var depth: Int { readyCount + waitingCount + deferredCounts.values.reduce(0, +) }

        fileprivate mutating func add(_ stage: String, _ reason: String, _ count: Int) {
            switch stage {
            case "ready": readyCount += count
            case "waiting": waitingCount += count
            case "running": runningCount += count
            default: deferredCounts[reason, default: 0] += count
            }
        }

        fileprivate mutating func add(_ runs: RecentRuns) {
            completedCount += runs.completed
            failedCount += runs.failed
        }
    }

    /// A kind within a lane.
    package struct Subject: Sendable, Hashable {
        /// Which line.
        package let lane: Lane
        /// What the jobs do.
        package let kind: JobKind
    }

    /// Every lane, best first.
    package private(set) var lanes: [Lane: Load]
    /// Kinds that have unfinished jobs or ended some lately.
    package private(set) var kinds: [Subject: Load] = [:]
    /// Kinds that no worker claims, and since when.
    package let pausedKinds: [JobKind: Timestamp]

    /// The answers of ``OverviewStatements`` put together.
    init(
        lines: PostgresRows, kinds rows: PostgresRows, paused: PostgresRows, workers: PostgresRows
    ) throws(PersistenceError) {
        lanes = Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0, Load()) })
        var pausedKinds: [JobKind: Timestamp] = [:]
        for row in paused {
            var columns = ColumnReader(row)
            pausedKinds[JobKind(rawValue: try columns.next())] = try columns.next()
        }
        self.pausedKinds = pausedKinds
        for row in rows {
            var columns = ColumnReader(row)
            guard let lane = Lane(rawValue: try columns.next()) else { continue }
            let subject = Subject(lane: lane, kind: JobKind(rawValue: try columns.next()))
            let (stage, reason): (String, String) = (try columns.next(), try columns.next())
            let (count, age): (Int, Int64?) = (try columns.next(), try columns.next())
            kinds[subject, default: Load()].add(stage, reason, count)
            if stage == "ready" { kinds[subject]?.oldestAge = age.map { .microseconds(max(0, $0)) } }
            // The line's own count goes further.
            if stage != "ready" { lanes[lane]?.add(stage, reason, count) }
        }
        for line in try LaneLine.read(lines) {
            lanes[line.lane]?.readyCount = line.depth
            lanes[line.lane]?.oldestAge = line.oldestAge
        }
        for row in workers {
            for runs in try WorkerOverview(row).recent {
                lanes[runs.lane]?.add(runs)
                kinds[Subject(lane: runs.lane, kind: runs.kind), default: Load()].add(runs)
            }
        }
    }
}

/// A lane's line: how long it is, and for how long.
struct LaneLine: Sendable, Hashable {
    let lane: Lane
    let depth: Int
    let oldestAge: Duration?

    static func read(_ rows: PostgresRows) throws(PersistenceError) -> [LaneLine] {
        var lines: [LaneLine] = []
        for row in rows {
            var columns = ColumnReader(row)
            guard let lane = Lane(rawValue: try columns.next()) else { continue }
            let (depth, age): (Int, Int64?) = (try columns.next(), try columns.next())
            lines.append(LaneLine(lane: lane, depth: depth, oldestAge: age.map { .microseconds(max(0, $0)) }))
        }
        return lines
    }
}
