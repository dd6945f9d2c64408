// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// JSON Web Tokens signed with HS256 (RFC 7515, RFC 7519), the only algorithm there is here.
///
/// Any thread, no I/O. Cost of a verification: two small JSON documents and one HMAC, tens of microseconds.
package enum JSONWebToken {
    /// Longer texts are refused before anything is decoded.
    package static let maximumBytes = 8192

    private struct Header: Decodable {
        let alg: String
        let typ: String?
        let isCritical: Bool

        private enum CodingKeys: String, CodingKey { case alg, typ, crit }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            alg = try values.decode(String.self, forKey: .alg)
            typ = try values.decodeIfPresent(String.self, forKey: .typ)
            isCritical = values.contains(.crit)
        }
    }

    /// A token of these claims.
    /// - Throws: `libraryFailure`, which needs claims that are no JSON: not these.
    package static func sign(_ claims: TokenClaims, with key: SigningKey) throws(CryptographyError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return sign(payload: Array(try encoder.encode(claims)), with: key)
        } catch {
            throw CryptographyError(.libraryFailure)
        }
    }

    /// A token of any payload, already encoded.
    package static func sign(payload: [UInt8], with key: SigningKey) -> String {
        sign(header: Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8), payload: payload, with: key)
    }

    static func sign(header: [UInt8], payload: [UInt8], with key: SigningKey) -> String {
        let input = Base64URL.encode(header) + "." + Base64URL.encode(payload)
        let code = HMACSHA256.authenticationCode(for: Array(input.utf8), key: key.material.bytes)
        return input + "." + Base64URL.encode(code)
    }

    /// Checks the signature before the payload is read, then the times. Whether the token is of the right type
    /// and not revoked is for the caller to say.
    /// - Parameters:
    ///   - token: What the client sent, without `Bearer`.
    ///   - key: The one it should have been signed with.
    ///   - now: Seconds since 1970, by the clock the tokens are made with.
    ///   - leeway: How far the clocks of two machines may differ, in whole seconds.
    /// - Returns: The claims of a token that is ours and valid now.
    /// - Throws: `tokenMalformed` (also without `exp`), `tokenAlgorithmUnsupported`, `tokenSignatureInvalid`,
    ///   `tokenExpired`, `tokenNotYetValid`.
    package static func verify(
        _ token: String, with key: SigningKey, now: Int64, leeway: Duration = .seconds(5)
    ) throws(CryptographyError) -> TokenClaims {
        let payload = try verifiedPayload(of: token, with: key)
        let claims: TokenClaims
        do {
            claims = try JSONDecoder().decode(TokenClaims.self, from: Data(payload))
        } catch {
            throw CryptographyError(.tokenMalformed)
        }
        let slack = leeway.components.seconds
        guard now < claims.expiresAt + slack else { throw CryptographyError(.tokenExpired) }
        guard max(claims.issuedAt, claims.notBefore ?? 0) <= now + slack else {
            throw CryptographyError(.tokenNotYetValid)
        }
        return claims
    }

    /// The payload of a token whose header and signature are right, whatever it says and however old it is.
    /// - Throws: `tokenMalformed`, `tokenAlgorithmUnsupported`, `tokenSignatureInvalid`.
    package static func verifiedPayload(
        of token: String, with key: SigningKey
    ) throws(CryptographyError) -> [UInt8] {
        guard token.utf8.count <= maximumBytes else { throw CryptographyError(.tokenMalformed) }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw CryptographyError(.tokenMalformed) }
        let header = try decodedHeader(parts[0])
        guard header.alg == "HS256" else { throw CryptographyError(.tokenAlgorithmUnsupported) }
        guard !header.isCritical, header.typ.map({ $0.uppercased() == "JWT" }) ?? true else {
            throw CryptographyError(.tokenMalformed)
        }
        let payload = try decoded(parts[1])
        let code = try decoded(parts[2])
        let input = Array(token.utf8.dropLast(parts[2].utf8.count + 1))
        guard HMACSHA256.isValid(code, for: input, key: key.material.bytes) else {
            throw CryptographyError(.tokenSignatureInvalid)
        }
        return payload
    }

    private static func decodedHeader(_ part: Substring) throws(CryptographyError) -> Header {
        let bytes = try decoded(part)
        do {
            return try JSONDecoder().decode(Header.self, from: Data(bytes))
        } catch {
            throw CryptographyError(.tokenMalformed)
        }
    }

    private static func decoded(_ part: Substring) throws(CryptographyError) -> [UInt8] {
        guard let bytes = Base64.decode(part, alphabet: .url) else { throw CryptographyError(.tokenMalformed) }
        return bytes
    }
}
