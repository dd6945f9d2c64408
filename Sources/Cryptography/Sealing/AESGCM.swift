// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// AES-256-GCM over whole values. The tag follows the ciphertext.
enum AESGCM {
    private static let maximumBytes = 1 << 30

    static func seal(
        _ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], associatedData: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        try checkSizes(plaintext, associatedData)
        let cipher = try CipherContext(.seal, key: key, nonce: nonce)
        try cipher.authenticate(associatedData)
        let ciphertext = try cipher.process(plaintext)
        return try ciphertext + cipher.finishSealing()
    }

    /// `nil` when the tag does not match; no unauthenticated plaintext leaves this function.
    static func open(
        _ ciphertextAndTag: [UInt8], key: [UInt8], nonce: [UInt8], associatedData: [UInt8]
    ) throws(CryptographyError) -> [UInt8]? {
        try checkSizes(ciphertextAndTag, associatedData)
        guard ciphertextAndTag.count >= SealedBox.tagBytes else { return nil }
        let cipher = try CipherContext(.open, key: key, nonce: nonce)
        try cipher.authenticate(associatedData)
        let plaintext = try cipher.process(Array(ciphertextAndTag.dropLast(SealedBox.tagBytes)))
        return cipher.isGenuine(tag: Array(ciphertextAndTag.suffix(SealedBox.tagBytes))) ? plaintext : nil
    }

    private static func checkSizes(_ input: [UInt8], _ associatedData: [UInt8]) throws(CryptographyError) {
        guard input.count <= maximumBytes, associatedData.count <= maximumBytes else {
            throw CryptographyError(.inputTooLarge)
        }
    }
}

/// One run of the cipher; OpenSSL wipes its key when it is freed.
@safe
private struct CipherContext: ~Copyable {
    enum Direction: Int32 {
        case open = 0
        case seal = 1
    }

    private let context: OpaquePointer

    init(_ direction: Direction, key: [UInt8], nonce: [UInt8]) throws(CryptographyError) {
        precondition(key.count == 32 && nonce.count == SealedBox.nonceBytes)
        guard let context = unsafe EVP_CIPHER_CTX_new() else { throw CryptographyError(.outOfMemory) }
        guard unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, direction.rawValue) == 1 else {
            unsafe EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
            throw CryptographyError(.libraryFailure)
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_CIPHER_CTX_free(context) }

    func authenticate(_ associatedData: [UInt8]) throws(CryptographyError) {
        var count: Int32 = 0
        try Self.check(unsafe EVP_CipherUpdate(context, nil, &count, associatedData, Int32(associatedData.count)))
    }

    func process(_ input: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard !input.isEmpty else { return [] }
        var output = [UInt8](repeating: 0, count: input.count)
        var count: Int32 = 0
        try Self.check(unsafe EVP_CipherUpdate(context, &output, &count, input, Int32(input.count)))
        guard Int(count) == input.count else { throw CryptographyError(.libraryFailure) }
        return output
    }

    func finishSealing() throws(CryptographyError) -> [UInt8] {
        var rest = [UInt8](repeating: 0, count: 16)
        var tag = [UInt8](repeating: 0, count: SealedBox.tagBytes)
        var count: Int32 = 0
        try Self.check(unsafe EVP_CipherFinal_ex(context, &rest, &count))
        try Self.check(unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag))
        return tag
    }

    func isGenuine(tag: [UInt8]) -> Bool {
        var tag = tag
        var rest = [UInt8](repeating: 0, count: 16)
        var count: Int32 = 0
        let isSet = unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag) == 1
        if isSet, unsafe EVP_CipherFinal_ex(context, &rest, &count) == 1 { return true }
        ERR_clear_error()
        return false
    }

    /// OpenSSL's error queue belongs to the thread, which libcurl shares: it is left empty.
    private static func check(_ result: Int32) throws(CryptographyError) {
        guard result != 1 else { return }
        ERR_clear_error()
        throw CryptographyError(.libraryFailure)
    }
}
