// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The clock of the simulator's stamps.
enum MonotonicClock {
    /// Microseconds of CLOCK_MONOTONIC, which all processes of a machine share.
    static var microseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}

extension Duration {
    var milliseconds: Double { self / .milliseconds(1) }
    var seconds: Double { self / .seconds(1) }
}

extension ContinuousClock.Instant {
    /// Since then.
    var elapsed: Duration { duration(to: .now) }
}
