// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Makes UUIDv7 ids that rise strictly within the process, whatever the clock does.
///
/// Layout of RFC 9562: 48 bits of milliseconds, a 12-bit counter in `rand_a`, 62 random bits. The counter starts at
/// random in the lower half of its range in each millisecond and counts up; when it overflows, or the clock goes back,
/// ids run ahead of the clock. The clock is injected and corrected by an offset, because ids go by the database's time.
///
/// Concurrency: any thread. Cost: one uncontended lock and one call for random bytes.
package final class UUIDv7Generator: Sendable {
    private struct State {
        var offsetMilliseconds: Int64 = 0
        var milliseconds: Int64 = 0
        var counter: UInt64 = 0
    }

    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameter millisecondsSince1970: the machine's wall clock; may step.
    package init(millisecondsSince1970: @escaping @Sendable () -> Int64) {
        clock = millisecondsSince1970
    }

    /// Sets what is added to the machine's clock to get the database's, truncated to milliseconds. Ids keep rising when
    /// it falls.
    package func setOffset(_ offset: Duration) {
        let (seconds, attoseconds) = offset.components
        state.withLock { $0.offsetMilliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000 }
    }

    /// The next id, of whatever kind the caller expects.
    package func next<Tag>() -> Identifier<Tag> {
        let now = clock()
        var random = SystemRandomNumberGenerator()
        let (seed, low): (UInt64, UInt64) = (random.next(), random.next())
        let high = state.withLock { state in
            // A clock before 1970 counts as 1970, and one after 6429 as that: the other half of the 48 bits is room to
            // run ahead of it.
            let current = min(max(now &+ state.offsetMilliseconds, 0), 1 << 47)
            if current > state.milliseconds {
                state.milliseconds = current
                state.counter = seed & 0x7FF
            } else if state.counter < 0xFFF {
                state.counter += 1
            } else {
                state.milliseconds += 1
                state.counter = seed & 0x7FF
            }
            return UInt64(state.milliseconds) << 16 | 0x7000 | state.counter
        }
        return Identifier(high: high, low: 0b10 << 62 | low >> 2)
    }
}
