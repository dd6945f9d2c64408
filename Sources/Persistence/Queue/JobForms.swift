// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs

/// What jobs of a batch have in common besides their share of a line: nearly always one form for all of them.
struct JobForms {
    struct Key: Hashable {
        /// The number of the share, from 1.
        let share: Int64
        let kind: JobKind
        let maximumAttempts: Int16
        let runLimit: Duration
    }

    /// In the order in which they first occur.
    private(set) var keys: [Key] = []
    /// For each job the number of its form, from 1.
    private(set) var numbers: [Int64] = []

    init(of jobs: [NewJob], in shares: LineShares) {
        var known: [Key: Int64] = [:]
        numbers.reserveCapacity(jobs.count)
        for (job, share) in zip(jobs, shares.numbers) {
            let key = Key(share: share, kind: job.kind, maximumAttempts: job.maximumAttempts, runLimit: job.runLimit)
            // Mostly the one before: saves the look-up.
            if let last = numbers.last, keys[Int(last) - 1] == key {
                numbers.append(last)
                continue
            }
            if known[key] == nil {
                keys.append(key)
                known[key] = Int64(keys.count)
            }
            numbers.append(known[key, default: 0])
        }
    }
}
