// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A fixed window. All windows of a length begin at multiples of it since 1970 by the database's clock, so that every
/// process names the same one without asking.
package struct RateLimitWindow: Sendable, Hashable {
    /// Its first moment.
    package let start: Timestamp
    /// How long it is; at least a microsecond.
    package let length: Duration

    /// The window of a moment.
    package init(containing moment: Timestamp, length: Duration) {
        let step = max(1, length.wholeMicroseconds)
        let time = moment.microsecondsSince1970
        let offset = time % step
        start = Timestamp(microsecondsSince1970: time - (offset < 0 ? offset + step : offset))
        self.length = .microseconds(step)
    }

    /// The first moment of the next one.
    package var end: Timestamp { start.advanced(by: length) }

    /// From a moment to the end; at most the length, as clocks of two processes differ a little.
    package func remaining(at moment: Timestamp) -> Duration {
        let left = end.microsecondsSince1970 - moment.microsecondsSince1970
        return .microseconds(min(max(0, left), length.wholeMicroseconds))
    }
}

extension Duration {
    /// Rounded towards zero.
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
