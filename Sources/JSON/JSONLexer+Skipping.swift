// SPDX-License-Identifier: Apache-2.0

extension JSONLexer {
    /// Steps over a value: strings must close, brackets must balance and nest at most 64 deep; scalars are not checked
    /// beyond their alphabet.
    mutating func skipValue(_ input: Span<UInt8>) throws(JSONError) {
        switch try peek(input) {
        case UInt8(ascii: "{"), UInt8(ascii: "["): try skipContainer(input)
        case UInt8(ascii: "\""): _ = try rawString(input)
        default: try skipScalar(input)
        }
    }

    mutating func skipContainer(_ input: Span<UInt8>) throws(JSONError) {
        // The kinds of the open brackets, innermost in the lowest bit: 1 is an object.
        var kinds: UInt64 = 0
        var depth = 0
        while position < input.count {
            let byte = input[position]
            switch byte {
            case UInt8(ascii: "\""):
                _ = try rawString(input)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < UInt64.bitWidth else { throw JSONError(.tooDeep, at: position) }
                depth += 1
                kinds = kinds << 1 | (byte == UInt8(ascii: "{") ? 1 : 0)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard kinds & 1 == (byte == UInt8(ascii: "}") ? 1 : 0) else { throw malformed() }
                depth -= 1
                kinds >>= 1
                if depth == 0 {
                    position += 1
                    return
                }
            default:
                break
            }
            position += 1
        }
        throw malformed()
    }

    private mutating func skipScalar(_ input: Span<UInt8>) throws(JSONError) {
        let start = position
        while position < input.count {
            switch input[position] {
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), 0x30...0x39, 0x41...0x5A, 0x61...0x7A:
                position += 1
            default:
                guard position > start else { throw malformed() }
                return
            }
        }
        guard position > start else { throw malformed() }
    }
}
