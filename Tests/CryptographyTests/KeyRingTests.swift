// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite(.timeLimit(.minutes(1)))
struct KeyRingTests {
    private static let oldText = String(repeating: "0123456789abcdef", count: 4)
    private static let newText = "a random passphrase of at least 32 bytes"
    private let associatedData = Array("providers/17/api_key".utf8)
    private let plaintext = Array("sk-live-secret".utf8)

    struct GCMVector: Sendable {
        let key: String
        let nonce: String
        let associatedData: String
        let plaintext: String
        let ciphertext: String
        let tag: String
    }

    private static let gcmKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    private static let gcmPlaintext =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    private static let gcmCiphertext =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"

    @Test(arguments: [
        GCMVector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24), associatedData: "",
            plaintext: "", ciphertext: "", tag: "530f8afbc74536b9a963b4f1c4cb738b"),
        GCMVector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24), associatedData: "",
            plaintext: String(repeating: "0", count: 32), ciphertext: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"),
        GCMVector(
            key: gcmKey, nonce: "cafebabefacedbaddecaf888", associatedData: "", plaintext: gcmPlaintext,
            ciphertext: gcmCiphertext, tag: "b094dac5d93471bdec1a502270e3cc6c"),
        GCMVector(
            key: gcmKey, nonce: "cafebabefacedbaddecaf888",
            associatedData: "feedfacedeadbeeffeedfacedeadbeefabaddad2", plaintext: String(gcmPlaintext.prefix(120)),
            ciphertext: String(gcmCiphertext.prefix(120)), tag: "76fc6ece0f4e1768cddf8853bb2d551b"),
    ])
    func `AES-256-GCM has the test cases 13 to 16 of its specification`(vector: GCMVector) throws {
        let key = try Hexadecimal.decode(vector.key)
        let nonce = try Hexadecimal.decode(vector.nonce)
        let associatedData = try Hexadecimal.decode(vector.associatedData)
        let plaintext = try Hexadecimal.decode(vector.plaintext)
        let sealed = try AESGCM.seal(plaintext, key: key, nonce: nonce, associatedData: associatedData)
        #expect(Hexadecimal.encode(sealed) == vector.ciphertext + vector.tag)
        #expect(try AESGCM.open(sealed, key: key, nonce: nonce, associatedData: associatedData) == plaintext)
        #expect(try AESGCM.open(Array(sealed.dropLast()), key: key, nonce: nonce, associatedData: []) == nil)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 100_000])
    func `what was sealed can be opened`(count: Int) throws {
        let ring = KeyRing(current: try EncryptionKey(text: Self.oldText))
        let plaintext = RandomBytes.generate(count: count)
        let box = try ring.seal(plaintext, associatedData: associatedData)
        #expect(box.bytes.count == count + SealedBox.overheadBytes)
        #expect(try ring.open(SealedBox(bytes: box.bytes), associatedData: associatedData) == plaintext)
    }

    @Test func `the same value is never sealed twice alike`() throws {
        let ring = KeyRing(current: try EncryptionKey(text: Self.oldText))
        let boxes = try (0..<50).map { _ in try ring.seal(plaintext, associatedData: []).bytes }
        #expect(Set(boxes).count == 50)
    }

    @Test func `a box whose any bit was flipped is refused`() throws {
        let ring = KeyRing(current: try EncryptionKey(text: Self.oldText))
        let box = try ring.seal([7, 8, 9], associatedData: associatedData).bytes
        for bit in 0..<(box.count * 8) {
            var changed = box
            changed[bit / 8] ^= 1 << (bit % 8)
            let expected: CryptographyError.Code =
                switch bit / 8 {
                case 0: .boxMalformed
                case 1...4: .keyUnknown
                default: .boxTampered
                }
            #expect(throws: CryptographyError(expected)) {
                try ring.open(SealedBox(bytes: changed), associatedData: associatedData)
            }
        }
    }

    @Test func `a box that was cut, extended or moved elsewhere is refused`() throws {
        let ring = KeyRing(current: try EncryptionKey(text: Self.oldText))
        let box = try ring.seal([7, 8, 9], associatedData: associatedData)
        for count in 0..<box.bytes.count {
            let expected: CryptographyError.Code = count < SealedBox.overheadBytes ? .boxMalformed : .boxTampered
            #expect(throws: CryptographyError(expected)) {
                try ring.open(SealedBox(bytes: Array(box.bytes.prefix(count))), associatedData: associatedData)
            }
        }
        #expect(throws: CryptographyError(.boxTampered)) {
            try ring.open(SealedBox(bytes: box.bytes + [0]), associatedData: associatedData)
        }
        #expect(throws: CryptographyError(.boxTampered)) {
            try ring.open(box, associatedData: Array("providers/18/api_key".utf8))
        }
        #expect(throws: CryptographyError(.boxTampered)) { try ring.open(box, associatedData: []) }
    }

    @Test func `a changed key still opens old boxes and seals with the new one`() throws {
        let old = try EncryptionKey(text: Self.oldText)
        let new = try EncryptionKey(text: Self.newText)
        let box = try KeyRing(current: old).seal(plaintext, associatedData: associatedData)
        let ring = KeyRing(current: new, previous: [old])
        #expect(try ring.open(box, associatedData: associatedData) == plaintext)
        let resealed = try ring.seal(plaintext, associatedData: associatedData)
        #expect(resealed.keyID == new.id && box.keyID == old.id)
        #expect(throws: CryptographyError(.keyUnknown)) {
            try KeyRing(current: old).open(resealed, associatedData: associatedData)
        }
    }

    @Test func `another key that shares the id does not open a box`() throws {
        let key = try EncryptionKey(text: Self.oldText)
        let box = try KeyRing(current: key).seal(plaintext, associatedData: associatedData)
        let impostor = EncryptionKey(id: key.id, material: KeyMaterial(bytes: [UInt8](repeating: 1, count: 32)))
        #expect(throws: CryptographyError(.boxTampered)) {
            try KeyRing(current: impostor).open(box, associatedData: associatedData)
        }
        #expect(
            try KeyRing(current: impostor, previous: [key]).open(box, associatedData: associatedData) == plaintext)
    }

    @Test func `64 digits are the key itself, in either case`() throws {
        let key = try EncryptionKey(text: Self.oldText)
        #expect(try key.material.bytes == Hexadecimal.decode(Self.oldText))
        #expect(key.id == Array(SHA256.hash(key.material.bytes).prefix(4)))
        #expect(try EncryptionKey(text: Self.oldText.uppercased()).id == key.id)
        #expect(try EncryptionKey(text: EncryptionKey.generateText()).material.bytes.count == 32)
        #expect(EncryptionKey.generateText() != EncryptionKey.generateText())
    }

    @Test func `a longer text gives a stable key that depends on its purpose`() throws {
        let key = try EncryptionKey(text: Self.newText).material.bytes
        #expect(try EncryptionKey(text: Self.newText).material.bytes == key)
        #expect(try SigningKey(text: Self.newText).material.bytes != key)
        #expect(try EncryptionKey(text: Self.newText + " ").material.bytes != key)
        // BLAKE2b-256 with personalisation "switchyard seal1", computed by Python's hashlib.
        #expect(Hexadecimal.encode(key) == "43ffb35e6ab46e6d243a0a4407d16d2d8bc7f83ac61ee8cf76684dd23697ba56")
    }

    @Test(arguments: ["", "short", "0123456789abcdef0123456789abcde", "ääääääääääääää"])
    func `a short key is refused in words that help and do not quote it`(text: String) {
        let error = #expect(throws: CryptographyError(.keyTooShort)) { try EncryptionKey(text: text) }
        #expect(error?.description.contains("32 bytes") == true)
        #expect(throws: CryptographyError(.keyTooShort)) { try SigningKey(text: text) }
    }

    @Test func `keys are not shown by anything that prints`() throws {
        let key = try EncryptionKey(text: Self.oldText)
        var shown = "\(key) \(String(reflecting: key)) \(key.material) \(String(reflecting: key.material))"
        dump(KeyRing(current: key, previous: [key]), to: &shown)
        dump(try SigningKey(text: Self.oldText), to: &shown)
        #expect(!shown.contains(Self.oldText))
        #expect(!shown.contains("239") && !shown.contains("0xef"))
        #expect(shown.contains("***"))
    }
}
