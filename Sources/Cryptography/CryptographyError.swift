// SPDX-License-Identifier: Apache-2.0

/// Why something could not be sealed, opened, hashed or verified. It holds a code and nothing else: no key, no
/// token, no plaintext can end up in a log through it.
package struct CryptographyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason; raw values are stable and bounded, fit for metric labels.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// A key text is shorter than 32 bytes.
        case keyTooShort = "key_too_short"
        /// A box is not of a known format, or too short for it.
        case boxMalformed = "box_malformed"
        /// A box was sealed under a key that is not in the ring.
        case keyUnknown = "key_unknown"
        /// A box or its associated data was changed, or belongs elsewhere.
        case boxTampered = "box_tampered"
        /// More than 1 GiB in one box.
        case inputTooLarge = "input_too_large"
        /// Text that is not the encoding it should be.
        case encodingInvalid = "encoding_invalid"
        /// A stored password hash is not one of ours.
        case passwordHashMalformed = "password_hash_malformed"
        /// The memory a password hash needs is not to be had now.
        case outOfMemory = "out_of_memory"
        /// A token is not three parts of strict base64url, its header or claims are not what they must be.
        case tokenMalformed = "token_malformed"
        /// A token's algorithm is not HS256.
        case tokenAlgorithmUnsupported = "token_algorithm_unsupported"
        /// A token was not signed with this key, or changed after.
        case tokenSignatureInvalid = "token_signature_invalid"
        /// A token's `exp` has passed.
        case tokenExpired = "token_expired"
        /// A token's `nbf` or `iat` lies in the future.
        case tokenNotYetValid = "token_not_yet_valid"
        /// A library call failed that has no reason to.
        case libraryFailure = "library_failure"
    }

    /// What to switch over.
    package let code: Code

    init(_ code: Code) { self.code = code }

    /// Whether the same call may succeed later. Only a shortage of memory passes.
    package var isRetryable: Bool { code == .outOfMemory }

    /// A sentence for a log or for whoever sets up the system.
    package var description: String {
        switch code {
        case .keyTooShort: "the key is too short: give 64 hexadecimal digits, or a text of at least 32 bytes"
        case .boxMalformed: "the sealed value has an unknown format"
        case .keyUnknown: "the sealed value belongs to a key that is not configured"
        case .boxTampered: "the sealed value does not match its key and context"
        case .inputTooLarge: "the value is too large to be sealed in one piece"
        case .encodingInvalid: "the text is not in the expected encoding"
        case .passwordHashMalformed: "the stored password hash has an unknown format"
        case .outOfMemory: "not enough memory for the password hash"
        case .tokenMalformed: "the token is malformed"
        case .tokenAlgorithmUnsupported: "the token's algorithm is not supported"
        case .tokenSignatureInvalid: "the token's signature does not match"
        case .tokenExpired: "the token has expired"
        case .tokenNotYetValid: "the token is not valid yet"
        case .libraryFailure: "the cryptographic library failed"
        }
    }
}
