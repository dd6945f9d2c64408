// SPDX-License-Identifier: Apache-2.0

/// Finds the simulator's tokens, `<number>@<microseconds> `, in the bytes of a stream as they come, cut anywhere.
/// Nothing else in a stream looks like that, so neither frames nor JSON have to be read. Pure.
struct TokenScanner: Sendable {
    private var value: Int64 = 0
    private var digitCount = 0
    private var number: Int64?
    private var next: Int64 = 0

    /// Tokens so far, those out of order included.
    private(set) var count = 0
    /// Tokens that were not the one after the last.
    private(set) var misplacedCount = 0

    /// Hands over the time in each token that ends within the first bytes of a buffer.
    mutating func scan(_ buffer: [UInt8], count byteCount: Int, _ body: (_ sentMicroseconds: Int64) -> Void) {
        for index in 0..<byteCount {
            let byte = buffer[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = value &* 10 &+ Int64(byte &- UInt8(ascii: "0"))
                digitCount &+= 1
            case UInt8(ascii: "@") where digitCount > 0 && number == nil:
                number = value
                (value, digitCount) = (0, 0)
            case UInt8(ascii: " ") where digitCount > 0:
                if let number { take(number, value, body) }
                reset()
            default:
                if digitCount > 0 || number != nil { reset() }
            }
        }
    }

    private mutating func take(_ number: Int64, _ sent: Int64, _ body: (Int64) -> Void) {
        count += 1
        if number != next { misplacedCount += 1 }
        next = number + 1
        body(sent)
    }

    private mutating func reset() {
        (value, digitCount, number) = (0, 0, nil)
    }
}
