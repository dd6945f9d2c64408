// SPDX-License-Identifier: Apache-2.0

/// The size of an image in pixels, read from the first bytes of its file: PNG, JPEG, GIF and WebP, which are the
/// formats providers take.
package struct ImageSize: Sendable, Hashable {
    /// Pixels from left to right.
    package let width: Int
    /// Pixels from top to bottom.
    package let height: Int

    /// Reads the header; `nil` when it is none of these formats, is cut before the size, or says zero. Orientation in
    /// EXIF is ignored: no cost depends on it. Cost: constant, but a JPEG's segments are walked.
    package init?(header bytes: Span<UInt8>) {
        guard let (width, height) = Self.png(bytes) ?? Self.gif(bytes) ?? Self.webP(bytes) ?? Self.jpeg(bytes),
            width > 0, height > 0
        else { return nil }
        self.width = width
        self.height = height
    }

    private static func png(_ bytes: Span<UInt8>) -> (Int, Int)? {
        guard starts(bytes, with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], at: 0), bytes.count >= 24,
            starts(bytes, with: Array("IHDR".utf8), at: 12)
        else { return nil }
        return (
            bigEndian(bytes, 16) << 16 | bigEndian(bytes, 18), bigEndian(bytes, 20) << 16 | bigEndian(bytes, 22)
        )
    }

    private static func gif(_ bytes: Span<UInt8>) -> (Int, Int)? {
        guard starts(bytes, with: Array("GIF8".utf8), at: 0), bytes.count >= 10 else { return nil }
        return (littleEndian(bytes, 6), littleEndian(bytes, 8))
    }

    private static func webP(_ bytes: Span<UInt8>) -> (Int, Int)? {
        guard starts(bytes, with: Array("RIFF".utf8), at: 0), starts(bytes, with: Array("WEBP".utf8), at: 8),
            bytes.count >= 30
        else { return nil }
        if starts(bytes, with: Array("VP8 ".utf8), at: 12) {
            guard starts(bytes, with: [0x9D, 0x01, 0x2A], at: 23) else { return nil }
            return (littleEndian(bytes, 26) & 0x3FFF, littleEndian(bytes, 28) & 0x3FFF)
        }
        if starts(bytes, with: Array("VP8L".utf8), at: 12), bytes[20] == 0x2F {
            let packed = littleEndian(bytes, 21) | littleEndian(bytes, 23) << 16
            return ((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
        }
        if starts(bytes, with: Array("VP8X".utf8), at: 12) {
            return (
                (littleEndian(bytes, 24) | Int(bytes[26]) << 16) + 1,
                (littleEndian(bytes, 27) | Int(bytes[29]) << 16) + 1
            )
        }
        return nil
    }

    /// Walks the segments to the frame header, which may follow metadata and a thumbnail.
    private static func jpeg(_ bytes: Span<UInt8>) -> (Int, Int)? {
        guard starts(bytes, with: [0xFF, 0xD8], at: 0) else { return nil }
        var index = 2
        while index + 4 <= bytes.count {
            guard bytes[index] == 0xFF else { return nil }
            let marker = bytes[index + 1]
            switch marker {
            case 0xFF:
                index += 1
            case 0x01, 0xD0...0xD8:
                index += 2
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                guard index + 9 <= bytes.count else { return nil }
                return (bigEndian(bytes, index + 7), bigEndian(bytes, index + 5))
            case 0xD9, 0xDA:
                return nil
            default:
                let length = bigEndian(bytes, index + 2)
                guard length >= 2 else { return nil }
                index += 2 + length
            }
        }
        return nil
    }

    private static func starts(_ bytes: Span<UInt8>, with pattern: [UInt8], at offset: Int) -> Bool {
        guard bytes.count >= offset + pattern.count else { return false }
        for (index, byte) in pattern.enumerated() where bytes[offset + index] != byte { return false }
        return true
    }

    private static func bigEndian(_ bytes: Span<UInt8>, _ offset: Int) -> Int {
        Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
    }

    private static func littleEndian(_ bytes: Span<UInt8>, _ offset: Int) -> Int {
        Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
    }
}
