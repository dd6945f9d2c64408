// SPDX-License-Identifier: Apache-2.0
import HTTP

/// Watches the bytes of a header section go by, before the parser sees them, for what it would accept or would
/// answer less precisely: sizes, versions, unknown methods, folded lines, empty names, lone line feeds.
///
/// Pure: bytes in, a verdict out. It also says where the header section ends, so that body bytes never pass here.
struct HeadScanner {
    enum Verdict: Equatable {
        /// All bytes seen, the header section goes on.
        case needsMore
        /// The header section ends before this position.
        case ends(Int)
        case refused(RequestRefusal)
    }

    private enum State {
        /// Before the request line; empty lines are skipped.
        case start
        case startLineFeed
        case method
        case target
        case version
        case lineFeedAfterVersion
        case lineStart
        case name
        case value
        case lineFeed
        case lastLineFeed
    }

    private let maxHeadBytes: Int
    private let maxHeaderLines: Int
    private let maxTargetBytes: Int

    private var state = State.start
    private var headBytes = 0
    private var lines = 0
    private var targetBytes = 0
    private var word: [UInt8] = []
    private var methodIsKnown = false

    init(maxHeadBytes: Int, maxHeaderLines: Int, maxTargetBytes: Int) {
        self.maxHeadBytes = maxHeadBytes
        self.maxHeaderLines = maxHeaderLines
        self.maxTargetBytes = maxTargetBytes
    }

    /// Whether the request line is complete and accepted.
    var isPastRequestLine: Bool {
        switch state {
        case .start, .startLineFeed, .method, .target, .version: false
        case .lineFeedAfterVersion, .lineStart, .name, .value, .lineFeed, .lastLineFeed: true
        }
    }

    /// Ready for the next request of the connection.
    mutating func reset() {
        self = HeadScanner(maxHeadBytes: maxHeadBytes, maxHeaderLines: maxHeaderLines, maxTargetBytes: maxTargetBytes)
    }

    mutating func scan(_ bytes: Span<UInt8>, from start: Int) -> Verdict {
        var position = start
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            headBytes += 1
            if let refusal = take(byte) { return .refused(refusal) }
            if headBytes > maxHeadBytes { return .refused(.headersTooLarge) }
            if state == .lastLineFeed { return .ends(position) }
        }
        return .needsMore
    }

    private static let lineFeed: UInt8 = 0x0A
    private static let carriageReturn: UInt8 = 0x0D
    private static let space: UInt8 = 0x20

    private mutating func take(_ byte: UInt8) -> RequestRefusal? {
        switch state {
        case .value:
            return takeValue(byte)
        case .name:
            if byte == UInt8(ascii: ":") {
                state = .value
                return nil
            }
            return isToken(byte) ? nil : .malformed("A header field's name is malformed.")
        case .lineStart:
            return takeLineStart(byte)
        case .lineFeed:
            guard byte == Self.lineFeed else { return .malformed("A line must end with CR and LF.") }
            state = .lineStart
            return nil
        case .start, .startLineFeed, .method, .target, .version, .lineFeedAfterVersion:
            return takeRequestLine(byte)
        case .lastLineFeed:
            return nil
        }
    }

    private mutating func takeValue(_ byte: UInt8) -> RequestRefusal? {
        if byte >= Self.space, byte != 0x7F { return nil }
        switch byte {
        case Self.carriageReturn: state = .lineFeed
        case 0x09: break
        case Self.lineFeed: return .malformed("A line must end with CR and LF.")
        default: return .malformed("A header field's value holds control characters.")
        }
        return nil
    }

    private mutating func takeLineStart(_ byte: UInt8) -> RequestRefusal? {
        switch byte {
        case Self.carriageReturn:
            // The line feed that follows is checked by the state below and ends the section.
            state = .lineFeedAfterVersion
            word = [Self.carriageReturn]
            return nil
        case Self.space, 0x09:
            return .malformed("Folded header lines are not supported.")
        case UInt8(ascii: ":"):
            return .malformed("A header field must have a name.")
        default:
            guard isToken(byte) else { return .malformed("A header field's name is malformed.") }
            lines += 1
            state = .name
            return lines > maxHeaderLines ? .headersTooLarge : nil
        }
    }

    private mutating func takeRequestLine(_ byte: UInt8) -> RequestRefusal? {
        switch state {
        case .start:
            if byte == Self.carriageReturn {
                state = .startLineFeed
                return nil
            }
            state = .method
            return takeRequestLine(byte)
        case .startLineFeed:
            guard byte == Self.lineFeed else { return .malformed("A line must end with CR and LF.") }
            state = .start
        case .method:
            if byte == Self.space, !word.isEmpty {
                methodIsKnown = HTTPMethod(rawValue: String(decoding: word, as: UTF8.self)) != nil
                word = []
                state = .target
                return nil
            }
            guard isToken(byte), word.count < 64 else { return .malformed("The request line is malformed.") }
            word.append(byte)
        case .target:
            return takeTarget(byte)
        case .version:
            if byte == Self.carriageReturn {
                state = .lineFeedAfterVersion
                return checkVersion()
            }
            guard byte > Self.space, byte < 0x7F, word.count < 16 else {
                return .malformed("The request line is malformed.")
            }
            word.append(byte)
        case .lineFeedAfterVersion:
            guard byte == Self.lineFeed else { return .malformed("A line must end with CR and LF.") }
            state = word == [Self.carriageReturn] ? .lastLineFeed : .lineStart
            word = []
        default:
            break
        }
        return nil
    }

    private mutating func takeTarget(_ byte: UInt8) -> RequestRefusal? {
        if byte == Self.space, targetBytes > 0 {
            state = .version
            return nil
        }
        guard byte > Self.space, byte < 0x7F, byte != UInt8(ascii: "#") else {
            return .malformed("The request line is malformed.")
        }
        targetBytes += 1
        return targetBytes > maxTargetBytes ? .targetTooLong : nil
    }

    private func checkVersion() -> RequestRefusal? {
        let version = Array("HTTP/".utf8)
        guard word.count == 8, word.starts(with: version), isDigit(word[5]), word[6] == UInt8(ascii: "."),
            isDigit(word[7])
        else { return .malformed("The request line is malformed.") }
        guard word[5] == UInt8(ascii: "1"), word[7] == UInt8(ascii: "0") || word[7] == UInt8(ascii: "1") else {
            return .versionUnknown
        }
        return methodIsKnown ? nil : .methodUnknown
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }
}
