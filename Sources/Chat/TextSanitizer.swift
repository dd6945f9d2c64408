// SPDX-License-Identifier: Apache-2.0

/// Makes text that comes in pieces storable before it gets a sequence number: valid UTF-8, no U+0000, no code point
/// split over two pieces.
///
/// Broken sequences and U+0000 become U+FFFD, one for each maximal part as Unicode recommends, so the joined result does
/// not depend on where the input was cut. At most three bytes wait for their rest.
package struct TextSanitizer: Sendable {
    private var pending: [UInt8] = []

    /// With nothing pending.
    package init() {}

    /// Decodes the next bytes; what may still become a code point is kept back.
    package mutating func decode(_ bytes: some Collection<UInt8>) -> String {
        var input = pending
        input.append(contentsOf: bytes)
        let keptBack = Self.incompleteSuffixLength(of: input)
        pending = Array(input.suffix(keptBack))
        input.removeLast(keptBack)
        return Self.sanitize(String(decoding: input, as: UTF8.self))
    }

    /// Takes text that is decoded already; bytes still pending can only be broken then.
    package mutating func decode(text: String) -> String {
        pending.isEmpty ? Self.sanitize(text) : finish() + Self.sanitize(text)
    }

    /// Ends the text: what was kept back is broken. The sanitizer can be used again.
    package mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// Replaces U+0000 in whole text; without one, the common case, nothing is copied.
    package static func sanitize(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        var clean = ""
        for scalar in text.unicodeScalars {
            clean.unicodeScalars.append(scalar.value == 0 ? "\u{FFFD}" : scalar)
        }
        return clean
    }

    /// How many bytes at the end are a proper prefix of a well-formed sequence.
    private static func incompleteSuffixLength(of bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let index = bytes.count - length
            let lead = bytes[index]
            guard lead >= 0x80 else { return 0 }
            guard lead >= 0xC0 else { continue }
            let needed: Int
            let second: ClosedRange<UInt8>
            switch lead {
            case 0xC2...0xDF: (needed, second) = (2, 0x80...0xBF)
            case 0xE0: (needed, second) = (3, 0xA0...0xBF)
            case 0xED: (needed, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: (needed, second) = (3, 0x80...0xBF)
            case 0xF0: (needed, second) = (4, 0x90...0xBF)
            case 0xF4: (needed, second) = (4, 0x80...0x8F)
            case 0xF1...0xF3: (needed, second) = (4, 0x80...0xBF)
            default: return 0
            }
            guard length < needed, length == 1 || second.contains(bytes[index + 1]) else { return 0 }
            return length
        }
        return 0
    }
}
