// SPDX-License-Identifier: Apache-2.0

extension JSONLexer {
    /// The bytes between two quotes, not yet decoded.
    struct RawString {
        let range: Range<Int>
        let hasEscapes: Bool
    }

    /// Consumes a string at its opening quote without decoding it. Control characters end it as malformed; escapes are
    /// only stepped over.
    mutating func rawString(_ input: Span<UInt8>) throws(JSONError) -> RawString {
        let start = position + 1
        var index = start
        var hasEscapes = false
        while index < input.count {
            let byte = input[index]
            if byte == UInt8(ascii: "\"") {
                position = index + 1
                return RawString(range: start..<index, hasEscapes: hasEscapes)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                index += 2
            } else if byte < 0x20 {
                throw JSONError(.malformed, at: index)
            } else {
                index += 1
            }
        }
        throw JSONError(.malformed, at: input.count)
    }

    /// Consumes and decodes a string at its opening quote.
    mutating func string(_ input: Span<UInt8>) throws(JSONError) -> String {
        try decode(rawString(input), input)
    }

    /// The text of a string already consumed. One validation and one copy when it has no escapes.
    func decode(_ raw: RawString, _ input: Span<UInt8>) throws(JSONError) -> String {
        let bytes = input.extracting(raw.range)
        do throws(UTF8.ValidationError) {
            let text = try UTF8Span(validating: bytes)
            guard raw.hasEscapes else { return String(copying: text) }
        } catch {
            guard policy == .repairing else {
                throw JSONError(.invalidUTF8, at: raw.range.lowerBound + error.byteOffsets.lowerBound)
            }
        }
        return String(decoding: try unescaped(raw.range, input), as: UTF8.self)
    }

    private func unescaped(_ range: Range<Int>, _ input: Span<UInt8>) throws(JSONError) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = input[index]
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                index += 1
                continue
            }
            // A raw string never ends in a lone backslash, so the next byte lies in the range.
            switch input[index + 1] {
            case UInt8(ascii: "\""): text.append(0x22)
            case UInt8(ascii: "\\"): text.append(0x5C)
            case UInt8(ascii: "/"): text.append(0x2F)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                let (scalar, next) = try unicodeEscape(at: index, end: range.upperBound, input)
                text.append(contentsOf: scalar.utf8)
                index = next
                continue
            default: throw JSONError(.malformed, at: index)
            }
            index += 2
        }
        return text
    }

    /// The scalar of `\uXXXX`, or of two of them that make a surrogate pair, and where the text goes on.
    private func unicodeEscape(
        at index: Int, end: Int, _ input: Span<UInt8>
    ) throws(JSONError) -> (Unicode.Scalar, next: Int) {
        let first = try hexUnit(at: index, end: end, input)
        var next = index + 6
        var value = UInt32(first)
        if UTF16.isLeadSurrogate(first), next + 1 < end, input[next] == UInt8(ascii: "\\"),
            input[next + 1] == UInt8(ascii: "u")
        {
            let second = try hexUnit(at: next, end: end, input)
            if UTF16.isTrailSurrogate(second) {
                value = 0x10000 + (UInt32(first) & 0x3FF) << 10 + UInt32(second) & 0x3FF
                next += 6
            }
        }
        guard let scalar = Unicode.Scalar(value) else {
            guard policy == .repairing else { throw JSONError(.unpairedSurrogate, at: index) }
            return ("\u{FFFD}", next)
        }
        guard value != 0 || policy == .strict else {
            guard policy == .repairing else { throw JSONError(.nulCharacter, at: index) }
            return ("\u{FFFD}", next)
        }
        return (scalar, next)
    }

    private func hexUnit(at index: Int, end: Int, _ input: Span<UInt8>) throws(JSONError) -> UInt16 {
        guard index + 6 <= end else { throw JSONError(.malformed, at: index) }
        var unit: UInt16 = 0
        for offset in 2..<6 {
            let byte = input[index + offset]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: throw JSONError(.malformed, at: index)
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
