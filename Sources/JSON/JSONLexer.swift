// SPDX-License-Identifier: Apache-2.0

/// The tokens of RFC 8259 over bytes that the caller passes to each call, because a stored span would need
/// experimental lifetimes. ``JSONParser`` and ``JSONProjection`` share it.
struct JSONLexer {
    var position = 0
    let policy: JSONTextPolicy

    init(policy: JSONTextPolicy) {
        self.policy = policy
    }

    func malformed() -> JSONError { JSONError(.malformed, at: position) }

    /// The next byte that is not white space, not consumed.
    mutating func peek(_ input: Span<UInt8>) throws(JSONError) -> UInt8 {
        while position < input.count {
            let byte = input[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        throw malformed()
    }

    mutating func expect(_ byte: UInt8, _ input: Span<UInt8>) throws(JSONError) {
        guard try peek(input) == byte else { throw malformed() }
        position += 1
    }

    mutating func expectEnd(_ input: Span<UInt8>) throws(JSONError) {
        while position < input.count {
            let byte = input[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { throw malformed() }
            position += 1
        }
    }

    /// Consumes `true`, `false` or `null` at the position.
    mutating func literal(_ input: Span<UInt8>) throws(JSONError) -> JSONValue {
        switch input[position] {
        case UInt8(ascii: "t"):
            try word("true", input)
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false", input)
            return .bool(false)
        default:
            try word("null", input)
            return .null
        }
    }

    private mutating func word(_ word: String, _ input: Span<UInt8>) throws(JSONError) {
        for byte in word.utf8 {
            guard position < input.count, input[position] == byte else { throw malformed() }
            position += 1
        }
    }

    /// Consumes a number: exact when it is an integer of 64 bits, else the nearest double. `-0` is a double, because
    /// an integer has no negative zero. What overflows a double is refused instead of becoming infinite.
    mutating func number(_ input: Span<UInt8>) throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = input[position] == UInt8(ascii: "-")
        if isNegative { position += 1 }

        var isExact = true
        var magnitude: Int64 = 0
        let integerStart = position
        while let digit = digit(input) {
            let (shifted, first) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, second) =
                isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            if first || second { isExact = false }
            magnitude = sum
            position += 1
        }
        guard position > integerStart else { throw malformed() }
        if input[integerStart] == UInt8(ascii: "0"), position > integerStart + 1 {
            position = integerStart + 1
            throw malformed()
        }
        if isNegative, magnitude == 0 { isExact = false }

        if position < input.count, input[position] == UInt8(ascii: ".") {
            isExact = false
            position += 1
            try digits(input)
        }
        if position < input.count, input[position] | 0x20 == UInt8(ascii: "e") {
            isExact = false
            position += 1
            if position < input.count, input[position] == UInt8(ascii: "+") || input[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits(input)
        }
        if isExact { return .integer(magnitude) }

        var text = ""
        for index in start..<position { text.unicodeScalars.append(Unicode.Scalar(input[index])) }
        guard let value = Double(text), value.isFinite else { throw JSONError(.numberOutOfRange, at: start) }
        return .number(value)
    }

    private func digit(_ input: Span<UInt8>) -> Int64? {
        guard position < input.count, (0x30...0x39).contains(input[position]) else { return nil }
        return Int64(input[position] - 0x30)
    }

    private mutating func digits(_ input: Span<UInt8>) throws(JSONError) {
        guard digit(input) != nil else { throw malformed() }
        while digit(input) != nil { position += 1 }
    }
}
