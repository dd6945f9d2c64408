// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TextSanitizerTests {
    private static let multilingual = "aé日😀\u{0}Ω🇩🇪e\u{301}👩‍👩‍👧\r\n\u{10FFFF}\u{D7FF}\u{E000}ܐ한\u{FFFD}"

    static let inputs: [[UInt8]] = [
        Array(multilingual.utf8), [], [0], [0xFF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xF0, 0x9F, 0x41],
        [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80],
        [0x80, 0x80, 0x41], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xF0, 0x28, 0x8C, 0xBC],
        [0xF0, 0x9F, 0xF0, 0x9F, 0x98, 0x80],
        [0xC3, 0xC3, 0xA9], [0xE2, 0x82, 0xE2, 0x82, 0xAC, 0x00], [0xF0, 0x80, 0x80, 0x41], [0xF4, 0x8F, 0xBF, 0xBF],
        [0x41, 0xF1, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xED, 0x9F, 0xBF, 0xEE, 0x80, 0x80],
        [0xDF, 0xBF, 0xBF],
    ]

    private static func expected(_ bytes: [UInt8]) -> [Unicode.Scalar] {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }
    }

    @Test(arguments: inputs)
    func `every split in three gives the same text as the whole`(bytes: [UInt8]) {
        let expected = Self.expected(bytes)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var sanitizer = TextSanitizer()
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]].map { sanitizer.decode($0) }
                let text = pieces.joined() + sanitizer.finish()
                #expect(Array(text.unicodeScalars) == expected)
            }
        }
    }

    @Test(arguments: inputs)
    func `single bytes give the same text as the whole`(bytes: [UInt8]) {
        var sanitizer = TextSanitizer()
        let text = bytes.map { sanitizer.decode([$0]) }.joined() + sanitizer.finish()
        #expect(Array(text.unicodeScalars) == Self.expected(bytes))
    }

    @Test func `valid text is never delayed beyond its code point and never replaced`() {
        var sanitizer = TextSanitizer()
        for scalar in Self.multilingual.unicodeScalars where scalar.value != 0 {
            let bytes = Array(String(scalar).utf8)
            let early = bytes.dropLast().map { sanitizer.decode([$0]) }
            #expect(early.joined() == "")
            let text = sanitizer.decode(bytes.suffix(1))
            #expect(text == String(scalar))
        }
        let rest = sanitizer.finish()
        #expect(rest.isEmpty)
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1, 2])
    func `random bytes in random pieces give the same text as the whole`(seed: UInt64) {
        var state = seed
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let leads: [UInt8] = [0x00, 0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0x9F, 0xA0, 0x8F, 0x90, 0xFF]
        for _ in 0..<300 {
            let bytes = (0..<next(40)).map { _ in next(4) == 0 ? UInt8(next(256)) : leads[next(leads.count)] }
            var sanitizer = TextSanitizer()
            var text = ""
            var index = 0
            while index < bytes.count {
                let end = min(bytes.count, index + 1 + next(5))
                text += sanitizer.decode(bytes[index..<end])
                index = end
            }
            text += sanitizer.finish()
            #expect(Array(text.unicodeScalars) == Self.expected(bytes), "seed \(seed)")
        }
    }

    @Test func `text that is decoded already only loses its NULs`() {
        var sanitizer = TextSanitizer()
        let texts = [
            sanitizer.decode(text: "aé"), sanitizer.decode(text: "a\u{0}😀\u{0}"), sanitizer.decode([0xF0, 0x9F]),
            sanitizer.decode(text: "x"), sanitizer.decode(Array("😀".utf8)),
        ]
        #expect(texts == ["aé", "a\u{FFFD}😀\u{FFFD}", "", "\u{FFFD}x", "😀"])
        #expect(TextSanitizer.sanitize("") == "")
    }
}
