// SPDX-License-Identifier: Apache-2.0

/// A moment that travels as `timestamptz`. A type that counts from 1970 conforms by an empty extension.
package protocol PostgresTimestampConvertible: PostgresConvertible where PostgresRepresentation == PostgresTimestamp {
    /// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
    var microsecondsSince1970: Int64 { get }
    /// From the same count.
    init(microsecondsSince1970: Int64)
}

extension PostgresTimestampConvertible {
    /// The same moment.
    package var postgresRepresentation: PostgresTimestamp {
        PostgresTimestamp(microsecondsSince1970: microsecondsSince1970)
    }
    /// `nil` for `infinity` and `-infinity`.
    package init?(postgresRepresentation: PostgresTimestamp) {
        guard let count = postgresRepresentation.microsecondsSince1970 else { return nil }
        self.init(microsecondsSince1970: count)
    }
}

/// A `timestamptz` as the server keeps it.
package struct PostgresTimestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 2000-01-01T00:00:00Z; the extreme values are `infinity` and `-infinity`.
    package let microsecondsSince2000: Int64

    /// Later than every moment.
    package static let infinity = PostgresTimestamp(microsecondsSince2000: .max)
    /// Earlier than every moment.
    package static let negativeInfinity = PostgresTimestamp(microsecondsSince2000: .min)

    private static let epochOffset: Int64 = 946_684_800_000_000

    /// From the server's own count.
    package init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

    /// From Unix time in microseconds; what the server could not hold is clamped to an infinity.
    package init(microsecondsSince1970: Int64) {
        let (value, overflow) = microsecondsSince1970.subtractingReportingOverflow(Self.epochOffset)
        self.init(microsecondsSince2000: overflow ? .min : value)
    }

    /// From Unix time in milliseconds, clamped likewise.
    package init(millisecondsSince1970: Int64) {
        let (value, overflow) = millisecondsSince1970.multipliedReportingOverflow(by: 1000)
        if overflow {
            self = millisecondsSince1970 < 0 ? .negativeInfinity : .infinity
        } else {
            self.init(microsecondsSince1970: value)
        }
    }

    /// Unix time in microseconds; `nil` for the infinities.
    package var microsecondsSince1970: Int64? {
        guard self != .infinity, self != .negativeInfinity else { return nil }
        let (value, overflow) = microsecondsSince2000.addingReportingOverflow(Self.epochOffset)
        return overflow ? nil : value
    }

    /// Unix time in milliseconds, rounded down; `nil` for the infinities.
    package var millisecondsSince1970: Int64? {
        microsecondsSince1970.map { $0 >= 0 ? $0 / 1000 : ($0 - 999) / 1000 }
    }

    /// The earlier moment is less.
    package static func < (left: Self, right: Self) -> Bool {
        left.microsecondsSince2000 < right.microsecondsSince2000
    }
}

extension PostgresTimestamp: PostgresValue, PostgresArrayElement {
    /// `timestamptz`.
    package static var postgresType: PostgresType { .timestamptz }
    /// `timestamptz[]`.
    package static var postgresArrayType: PostgresType { .timestamptzArray }
    /// Eight bytes.
    package func encode(into writer: inout PostgresWriter) { writer.append(microsecondsSince2000) }
    /// `timestamptz`; not `timestamp`, which names no moment.
    package static func accepts(_ type: PostgresType) -> Bool { type == .timestamptz }
    /// The value.
    package static func decode(
        _ bytes: Span<UInt8>, as type: PostgresType
    ) throws(PostgresDecodingFailure) -> PostgresTimestamp {
        guard bytes.count == 8 else { throw .malformed }
        return PostgresTimestamp(microsecondsSince2000: bytes.integer(Int64.self))
    }
}
