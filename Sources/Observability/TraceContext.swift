// SPDX-License-Identifier: Apache-2.0

/// The `traceparent` of W3C Trace Context: which distributed trace a piece of work belongs to and which span
/// caused it. It is stored with a job, so that a trace continues in the worker that claims it.
package struct TraceContext: Sendable, Hashable {
    private let traceHigh: UInt64
    private let traceLow: UInt64
    private let span: UInt64
    /// Whether the caller records this trace.
    package let isSampled: Bool

    private init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
    }

    /// Begins a new trace with random ids.
    package static func start(
        isSampled: Bool = false, using generator: inout some RandomNumberGenerator
    ) -> TraceContext {
        TraceContext(
            traceHigh: .random(in: .min ... .max, using: &generator),
            traceLow: .random(in: 1 ... .max, using: &generator),
            span: .random(in: 1 ... .max, using: &generator), isSampled: isSampled)
    }

    /// Begins a new trace with random ids from the system.
    package static func start(isSampled: Bool = false) -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return start(isSampled: isSampled, using: &generator)
    }

    /// Reads a `traceparent` header, also of later versions, as the recommendation demands: lower-case
    /// hexadecimal, no id of zeros, version `ff` refused. `nil` means: begin a new trace.
    package init?(traceparent: String) {
        let bytes = Array(traceparent.utf8)
        guard bytes.count >= 55, [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
            let version = Self.number(bytes[0..<2]), version != 0xFF,
            bytes.count == 55 || (version > 0 && bytes[55] == UInt8(ascii: "-")),
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]), high | low != 0,
            let span = Self.number(bytes[36..<52]), span != 0,
            let flags = Self.number(bytes[53..<55])
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
    }

    /// 32 hexadecimal digits.
    package var traceID: String { Self.digits(traceHigh) + Self.digits(traceLow) }

    /// 16 hexadecimal digits.
    package var spanID: String { Self.digits(span) }

    /// The header for calls made on this context's behalf, always version `00`.
    package var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// The same trace with a new span id, for work caused by this one.
    package func child(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(
            traceHigh: traceHigh, traceLow: traceLow, span: .random(in: 1 ... .max, using: &generator),
            isSampled: isSampled)
    }

    /// The same trace with a new span id from the system's generator.
    package func child() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return child(using: &generator)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var result: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): result = result << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): result = result << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return result
    }

    private static func digits(_ number: UInt64) -> String {
        var bytes: [UInt8] = []
        for shift in stride(from: 60, through: 0, by: -4) {
            bytes.append(Hex.digit(UInt8(truncatingIfNeeded: number >> UInt64(shift))))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
