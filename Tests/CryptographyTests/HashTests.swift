// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite(.timeLimit(.minutes(1)))
struct HashTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `SHA-256 has the vectors of FIPS 180`(message: String, digest: String) {
        #expect(Hexadecimal.encode(SHA256.hash(Array(message.utf8))) == digest)
    }

    @Test func `SHA-256 of a million times a is that of FIPS 180`() {
        #expect(
            Hexadecimal.encode(SHA256.hash([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test(arguments: [1, 3, 63, 64, 65, 1000])
    func `hashing in pieces is hashing the whole`(pieceBytes: Int) {
        let message = RandomBytes.generate(count: 1000)
        var hash = SHA256()
        for start in stride(from: 0, to: message.count, by: pieceBytes) {
            hash.update(Array(message[start..<min(start + pieceBytes, message.count)]).span)
        }
        hash.update([UInt8]().span)
        #expect(hash.finish() == SHA256.hash(message))
    }

    struct HMACVector: Sendable {
        let key: String
        let message: String
        let code: String
    }

    @Test(arguments: [
        HMACVector(
            key: String(repeating: "0b", count: 20), message: "4869205468657265",
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        HMACVector(
            key: "4a656665", message: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        HMACVector(
            key: String(repeating: "aa", count: 20), message: String(repeating: "dd", count: 50),
            code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        HMACVector(
            key: "0102030405060708090a0b0c0d0e0f10111213141516171819", message: String(repeating: "cd", count: 50),
            code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        HMACVector(
            key: String(repeating: "aa", count: 131),
            message: Hexadecimal.encode(Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        HMACVector(
            key: String(repeating: "aa", count: 131),
            message: Hexadecimal.encode(
                Array(
                    """
                    This is a test using a larger than block-size key and a larger than block-size data. The key \
                    needs to be hashed before being used by the HMAC algorithm.
                    """.utf8)),
            code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        // No key and no message, as published in several places (not in the RFC).
        HMACVector(
            key: "", message: "", code: "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func `HMAC-SHA-256 has the vectors of RFC 4231`(vector: HMACVector) throws {
        let key = try Hexadecimal.decode(vector.key)
        let message = try Hexadecimal.decode(vector.message)
        let code = try Hexadecimal.decode(vector.code)
        #expect(HMACSHA256.authenticationCode(for: message, key: key) == code)
        #expect(HMACSHA256.isValid(code, for: message, key: key))
        #expect(!HMACSHA256.isValid(Array(code.dropLast()), for: message, key: key))
        #expect(!HMACSHA256.isValid(code, for: message + [0], key: key))
    }

    @Test func `constant-time comparison compares`() {
        #expect(ConstantTime.areEqual([UInt8](), []))
        #expect(ConstantTime.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2]))
        #expect(ConstantTime.areEqual("token", "token"))
        #expect(!ConstantTime.areEqual("token", "token "))
        // The bytes count, not the characters: these are canonically equivalent.
        #expect(!ConstantTime.areEqual("é", "e\u{301}"))
    }

    @Test func `random bytes differ`() {
        #expect(RandomBytes.generate(count: 32) != RandomBytes.generate(count: 32))
        #expect(RandomBytes.generate(count: 0).isEmpty)
    }
}
