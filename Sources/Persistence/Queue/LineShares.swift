// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs

/// The jobs of a batch by tenant, lane, gate and priority: those that follow each other in a line.
struct LineShares {
    struct Key: Hashable {
        let lane: Lane
        let gate: Int16
        let userID: UserID
        let priority: Int16
    }

    /// In the order in which they first occur.
    private(set) var keys: [Key] = []
    /// For each job the number of its share, from 1.
    private(set) var numbers: [Int64] = []
    /// For each job its place within the share, from 0.
    private(set) var places: [Int64] = []

    init(of jobs: [NewJob]) {
        var known: [Key: Int] = [:]
        var counts: [Int64] = []
        numbers.reserveCapacity(jobs.count)
        places.reserveCapacity(jobs.count)
        var last: (key: Key, index: Int)?
        for job in jobs {
            let key = Key(lane: job.lane, gate: job.gate, userID: job.userID, priority: job.priority)
            // Mostly the one before: saves the look-up.
            let index: Int
            if let last, last.key == key {
                index = last.index
            } else if let found = known[key] {
                index = found
            } else {
                index = keys.count
                known[key] = index
                keys.append(key)
                counts.append(0)
            }
            last = (key, index)
            numbers.append(Int64(index + 1))
            places.append(counts[index])
            counts[index] += 1
        }
    }
}
