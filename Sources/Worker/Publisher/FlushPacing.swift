// SPDX-License-Identifier: Apache-2.0

/// How long to gather tokens between the beginnings of two flushes.
///
/// A token waits for half of that on average, and each flush costs the database the same whatever it carries. So while
/// flushes are quick, the machine has room for more of them: the pause is twice what the last one took, at least a third
/// of the interval and at most the interval.
struct FlushPacing: Sendable {
    /// Under load (`PUBLISH_INTERVAL_MS`).
    let interval: Duration
    /// From the beginning of the last flush to that of the next, unless something urgent comes.
    private(set) var pause: Duration

    init(interval: Duration) {
        self.interval = interval
        pause = interval / 3
    }

    /// The last flush took so long, from its sending to its answer.
    mutating func flushed(in duration: Duration) {
        pause = min(interval, max(interval / 3, duration * 2))
    }
}
