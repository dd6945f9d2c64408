// SPDX-License-Identifier: Apache-2.0

/// Builds one line: a flat JSON object with `time`, `level`, `message`, then context, then fields.
/// A key occurs once: the call site's field wins over the logger's own, which wins over the context's.
struct LogLine {
    /// A value's longest form in UTF-8 bytes before escaping; the rest is replaced by `…`.
    static let maximumValueBytes = 2048

    private(set) var bytes: [UInt8] = []

    init(time: WallTime, level: LogLevel, message: StaticString) {
        bytes.reserveCapacity(384)
        bytes += #"{"time":""#.utf8
        time.append(to: &bytes)
        bytes += #"","level":""#.utf8
        bytes += level.name.utf8
        bytes += #"","message":"#.utf8
        appendQuoted(message.description)
    }

    mutating func append(_ key: LogKey, _ value: LogValue) {
        bytes += #",""#.utf8
        bytes += key.rawValue.utf8
        bytes += #"":"#.utf8
        switch value {
        case .string(let text): appendQuoted(Self.cut(text))
        case .int(let number): bytes += String(number).utf8
        case .double(let number) where number.isFinite: bytes += String(number).utf8
        case .double(let number): appendQuoted(String(number))
        case .bool(let truth): bytes += (truth ? "true" : "false").utf8
        }
    }

    mutating func end() { bytes += "}\n".utf8 }

    /// Shortens at a character of UTF-8, never inside one.
    static func cut(_ text: String) -> String {
        let utf8 = text.utf8
        guard utf8.count > maximumValueBytes else { return text }
        var end = utf8.index(utf8.startIndex, offsetBy: maximumValueBytes)
        while UTF8.isContinuation(utf8[end]) { end = utf8.index(before: end) }
        return text[..<end] + "…"
    }

    /// Escapes what JSON demands, and DEL and the C1 controls (U+0080 to U+009F), which some terminals obey.
    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var previous: UInt8 = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes += #"\n"#.utf8
            case UInt8(ascii: "\r"): bytes += #"\r"#.utf8
            case UInt8(ascii: "\t"): bytes += #"\t"#.utf8
            case 0..<0x20, 0x7F: appendEscape(byte)
            case 0x80..<0xA0 where previous == 0xC2:
                bytes.removeLast()
                appendEscape(byte)
            default: bytes.append(byte)
            }
            previous = byte
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ byte: UInt8) {
        bytes += #"\u00"#.utf8
        bytes += [Hex.digit(byte >> 4), Hex.digit(byte)]
    }
}
