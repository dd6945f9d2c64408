// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite(.timeLimit(.minutes(1)))
struct EncodingTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func `base64url has the vectors of RFC 4648 without padding`(plain: String, text: String) throws {
        #expect(Base64URL.encode(Array(plain.utf8)) == text)
        #expect(try Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test func `base64url uses its own two characters`() throws {
        #expect(Base64URL.encode([0xFB, 0xEF, 0xFF]) == "--__")
        #expect(try Base64URL.decode("--__") == [0xFB, 0xEF, 0xFF])
    }

    @Test(arguments: [
        "Z", "Zg=", "Zg==", "Zh", "Zm9", "Zm9vY", "Z g", "Zg\n", " Zg", "++//", "Zm9v.", "Zm9v\u{0}", "Zé", "Zm9vZ",
    ])
    func `base64url refuses what has more than one reading`(text: String) {
        #expect(throws: CryptographyError(.encodingInvalid)) { try Base64URL.decode(text) }
    }

    @Test func `hexadecimal goes both ways and reads either case`() throws {
        let bytes = (0...255).map { UInt8($0) }
        let text = Hexadecimal.encode(bytes)
        #expect(text.hasPrefix("000102") && text.hasSuffix("fdfeff") && text.utf8.count == 512)
        #expect(try Hexadecimal.decode(text) == bytes)
        #expect(try Hexadecimal.decode("DEADbeef") == [0xDE, 0xAD, 0xBE, 0xEF])
        #expect(try Hexadecimal.decode("") == [])
    }

    @Test(arguments: ["a", "abc", "0g", "0x00", "00 11", "00:11", "é0", "00\u{0}0", " 00", "00\n"])
    func `hexadecimal refuses anything but pairs of digits`(text: String) {
        #expect(throws: CryptographyError(.encodingInvalid)) { try Hexadecimal.decode(text) }
    }

    @Test func `every length survives both encodings`() throws {
        for count in 0..<70 {
            let bytes = RandomBytes.generate(count: count)
            #expect(bytes.count == count)
            #expect(try Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(try Hexadecimal.decode(Hexadecimal.encode(bytes)) == bytes)
        }
    }
}
