// SPDX-License-Identifier: Apache-2.0

/// What stands behind a key on a log line. Numbers and truth values stay what they are in the JSON, so that a
/// log store can compare them. Strings longer than 2 KiB are cut when the line is written.
///
/// Never put what a person typed, what a model answered, or a secret here: ids and codes only.
package enum LogValue: Sendable, Equatable {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)

    /// A text; for ids, pass the id's string form.
    package init(_ value: String) { self = .string(value) }

    /// Any integer. One beyond `Int64` becomes text, because JSON readers lose its digits anyway.
    package init(_ value: some BinaryInteger) {
        self = Int64(exactly: value).map(LogValue.int) ?? .string(String(value))
    }

    /// A number with a fraction. Infinite values and NaN are written as text, JSON has no form for them.
    package init(_ value: Double) { self = .double(value) }

    /// A truth value.
    package init(_ value: Bool) { self = .bool(value) }

    /// A duration in milliseconds, rounded to microseconds, for keys that end in `.ms`.
    package init(milliseconds duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .double(Double(seconds) * 1000 + (Double(attoseconds) / 1e12).rounded() / 1000)
    }

    /// The `description` of an error, which by rule has no user data and no secrets in it. For errors that come
    /// from outside the package, log a code instead.
    package init(_ error: any Error) { self = .string(String(describing: error)) }

    /// Bytes of unknown origin: what is not UTF-8 becomes U+FFFD. Only what could be written is converted.
    package init(repairing bytes: some Collection<UInt8>) {
        self = .string(String(decoding: bytes.prefix(LogLine.maximumValueBytes + 4), as: UTF8.self))
    }
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral
{
    /// A literal, or a text put together at the call.
    package init(stringLiteral value: String) { self = .string(value) }
    /// A literal number.
    package init(integerLiteral value: Int64) { self = .int(value) }
    /// A literal number with a fraction.
    package init(floatLiteral value: Double) { self = .double(value) }
    /// A literal truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}
