// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(1)))
struct ImageTests {
    private static func image(_ width: Int?, _ height: Int?, _ detail: ImagePart.Detail = .high) -> ImagePart {
        ImagePart(source: .url("u"), mime: "image/png", width: width, height: height, detail: detail)
    }

    @Test(
        arguments: [
            (1024, 1024, 765), (2048, 4096, 1105), (512, 512, 255), (1, 1, 255), (513, 512, 425), (768, 768, 765),
            (2048, 768, 1445), (4096, 4096, 765), (10_000, 10, 85 + 170 * 4), (1536, 768, 85 + 170 * 6),
        ])
    func `OpenAI charges for tiles after scaling`(width: Int, height: Int, tokens: Int) {
        #expect(ImageCost.openAI.tokens(for: Self.image(width, height)) == tokens)
        #expect(ImageCost.openAI.tokens(for: Self.image(height, width)) == tokens)
        #expect(ImageCost.openAI.tokens(for: Self.image(width, height, .low)) == 85)
    }

    @Test(arguments: [
        (750, 1, 1), (751, 1, 2), (1000, 1000, 1334), (200, 200, 54), (1568, 1568, 3279), (3136, 3136, 3279),
    ])
    func `Anthropic charges for the area after scaling`(width: Int, height: Int, tokens: Int) {
        #expect(ImageCost.anthropic.tokens(for: Self.image(width, height)) == tokens)
    }

    @Test(arguments: [ImageCost.openAI, .anthropic, .unknown])
    func `an image without a known size costs a flat guess`(cost: ImageCost) {
        for image in [Self.image(nil, nil), Self.image(10, nil), Self.image(0, 10), Self.image(-1, 10)] {
            #expect(cost.tokens(for: image) == 1024)
        }
        #expect(ImageCost.unknown.tokens(for: Self.image(10, 10)) == 1024)
        #expect(ImageCost.openAI.tokens(for: Self.image(nil, nil, .low)) == 85)
        #expect(ImageCost.unknown.tokens(for: Self.image(10, 10, .low)) == 1024)
    }

    private static func size(_ bytes: [UInt8]) -> ImageSize? { ImageSize(header: bytes.span) }

    private static let png: [UInt8] =
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + [0, 0, 1, 2, 0, 1, 0, 3]
    private static let gif: [UInt8] = Array("GIF89a".utf8) + [0x02, 0x01, 0x03, 0x00]
    private static let jpeg: [UInt8] =
        [
            0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xE1, 0, 6, 0xFF, 0xC0, 0, 0, 0xFF, 0xFF, 0xC2, 0, 11, 8, 0x01,
            0x02, 0x03, 0x04,
        ]
    private static let webPHead: [UInt8] = Array("RIFF".utf8) + [0, 0, 0, 0] + Array("WEBP".utf8)
    private static let lossy: [UInt8] =
        webPHead + Array("VP8 ".utf8) + [0, 0, 0, 0, 0, 0, 0, 0x9D, 0x01, 0x2A, 0x02, 0xC1, 0x03, 0x40]
    private static let lossless: [UInt8] =
        webPHead + Array("VP8L".utf8) + [0, 0, 0, 0, 0x2F, 0x01, 0xC1, 0x00, 0x00] + Array(repeating: 0, count: 5)
    private static let extended: [UInt8] =
        webPHead + Array("VP8X".utf8) + [0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x01, 0x00, 0x02, 0x00, 0x01]

    static let headers: [(String, [UInt8], Int, Int)] = [
        ("PNG", png, 258, 65_539), ("GIF", gif, 258, 3), ("JPEG", jpeg, 0x0304, 0x0102), ("WebP", lossy, 258, 3),
        ("WebP lossless", lossless, 258, 4), ("WebP extended", extended, 258, 65_539),
    ]

    @Test(arguments: headers)
    func `the size is read from the header`(format: String, bytes: [UInt8], width: Int, height: Int) throws {
        let size = try #require(Self.size(bytes))
        #expect(size.width == width)
        #expect(size.height == height)
        #expect(Self.size(bytes + [1, 2, 3]) == size)
    }

    @Test(arguments: headers)
    func `a cut header has no size`(format: String, bytes: [UInt8], width: Int, height: Int) {
        for length in 0..<bytes.count { #expect(Self.size(Array(bytes[..<length])) == nil) }
    }

    @Test func `what is no image, or of size zero, has no size`() {
        #expect(Self.size(Array("%PDF-1.7 and more than thirty bytes of text".utf8)) == nil)
        #expect(Self.size((Array("GIF89a".utf8) + [0, 0, 1, 0])) == nil)
        #expect(Self.size([0xFF, 0xD8, 0xFF, 0xE0, 0, 0, 0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1]) == nil)
        #expect(Self.size([0xFF, 0xD8, 0xFF, 0xDA, 0, 4, 1, 2, 0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1]) == nil)
    }
}
