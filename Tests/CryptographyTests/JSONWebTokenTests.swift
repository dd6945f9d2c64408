// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite(.timeLimit(.minutes(1)))
struct JSONWebTokenTests {
    private let key = SigningKey(bytes: [UInt8](repeating: 7, count: 32))
    private let now: Int64 = 1_700_000_000
    private var claims: TokenClaims {
        TokenClaims(
            subject: "user", expiresAt: now + 900, issuedAt: now, id: "t1", role: "ADMIN", type: "access")
    }

    private func sign(header: String = #"{"alg":"HS256"}"#, _ payload: String) -> String {
        JSONWebToken.sign(header: Array(header.utf8), payload: Array(payload.utf8), with: key)
    }

    private func code(of token: String, at time: Int64? = nil) -> CryptographyError.Code? {
        do throws(CryptographyError) {
            _ = try JSONWebToken.verify(token, with: key, now: time ?? now)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `the example of RFC 7515 A.1 verifies and is produced`() throws {
        let key = SigningKey(
            bytes: try Base64URL.decode(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let token =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
        #expect(try JSONWebToken.verifiedPayload(of: token, with: key) == Array(payload.utf8))
        let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"
        #expect(
            JSONWebToken.sign(header: Array(header.utf8), payload: Array(payload.utf8), with: key) == token)
        #expect(throws: CryptographyError(.tokenMalformed)) {
            try JSONWebToken.verify(token, with: key, now: 1_300_819_000)
        }
    }

    @Test func `claims survive the token`() throws {
        let token = try JSONWebToken.sign(claims, with: key)
        #expect(try JSONWebToken.verify(token, with: key, now: now) == claims)
        let bare = TokenClaims(subject: "u", expiresAt: now + 1, issuedAt: now)
        #expect(try JSONWebToken.verify(JSONWebToken.sign(bare, with: key), with: key, now: now) == bare)
    }

    @Test(arguments: [(899, true), (904, true), (905, false), (1_000_000, false), (-5, true), (-6, false)])
    func `times are checked with leeway on both sides`(offset: Int64, isValid: Bool) throws {
        let token = try JSONWebToken.sign(claims, with: key)
        #expect(code(of: token, at: now + offset) == (isValid ? nil : offset > 0 ? .tokenExpired : .tokenNotYetValid))
    }

    @Test func `a token that is not valid yet is refused`() throws {
        var later = claims
        later.notBefore = now + 60
        let token = try JSONWebToken.sign(later, with: key)
        #expect(code(of: token) == .tokenNotYetValid)
        #expect(code(of: token, at: now + 60) == nil)
    }

    @Test(arguments: [
        "{}", "[]", "null", "", "not json", #"{"sub":"u","iat":1}"#, #"{"sub":"u","exp":9999999999}"#,
        #"{"exp":9999999999,"iat":1}"#, #"{"sub":1,"exp":9999999999,"iat":1}"#,
        #"{"sub":"u","exp":"9999999999","iat":1}"#, #"{"sub":"u","exp":null,"iat":1}"#,
        #"{"sub":"u","exp":true,"iat":1}"#, #"{"sub":"u","exp":1e300,"iat":1}"#, #"{"sub":"u","exp":-1,"iat":1}"#,
        #"{"sub":"u","exp":9999999999,"iat":1,"nbf":"x"}"#, #"{"sub":"u","exp":9999999999,"iat":1,"role":7}"#,
        #"{"sub":"u","exp":9999999999,"iat":1} trailing"#,
    ])
    func `signed claims that are not ours are refused`(payload: String) {
        #expect(code(of: sign(payload)) == .tokenMalformed)
    }

    @Test func `a fraction of a second in a time is cut off`() {
        #expect(code(of: sign(#"{"sub":"u","exp":1700000100.9,"iat":1700000000.0}"#)) == nil)
    }

    @Test(
        arguments: [
            (#"{"alg":"none"}"#, .tokenAlgorithmUnsupported), (#"{"alg":"None"}"#, .tokenAlgorithmUnsupported),
            (#"{"alg":"hs256"}"#, .tokenAlgorithmUnsupported), (#"{"alg":"HS512"}"#, .tokenAlgorithmUnsupported),
            (#"{"alg":"RS256"}"#, .tokenAlgorithmUnsupported), (#"{"alg":""}"#, .tokenAlgorithmUnsupported),
            (#"{}"#, .tokenMalformed), (#"{"alg":null}"#, .tokenMalformed), (#"{"alg":["HS256"]}"#, .tokenMalformed),
            (#"{"alg":"HS256","crit":["exp"]}"#, .tokenMalformed), (#"{"alg":"HS256","typ":"JWE"}"#, .tokenMalformed),
            (#"{"alg":"HS256","typ":1}"#, .tokenMalformed), ("HS256", .tokenMalformed), ("", .tokenMalformed),
            (#"{"alg":"HS256","typ":"jwt"}"#, nil), (#"{"alg":"HS256","kid":"1"}"#, nil),
        ] as [(String, CryptographyError.Code?)])
    func `only headers that ask for HS256 and nothing else are accepted`(
        header: String, expected: CryptographyError.Code?
    ) {
        #expect(code(of: sign(header: header, #"{"sub":"u","exp":9999999999,"iat":1}"#)) == expected)
    }

    @Test func `an unsigned token is refused in every way of writing it`() throws {
        let parts = try JSONWebToken.sign(claims, with: key).split(separator: ".")
        let none = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
        #expect(code(of: "\(none).\(parts[1]).") == .tokenAlgorithmUnsupported)
        #expect(code(of: "\(none).\(parts[1]).\(parts[2])") == .tokenAlgorithmUnsupported)
        #expect(code(of: "\(parts[0]).\(parts[1]).") == .tokenSignatureInvalid)
    }

    @Test func `texts that are not three strict parts are refused`() throws {
        let token = try JSONWebToken.sign(claims, with: key)
        let parts = token.split(separator: ".").map(String.init)
        let malformed: [String] = [
            "", ".", "..", "...", "a", "a.b", "a.b.c", "Bearer " + token,
            String(repeating: "a", count: JSONWebToken.maximumBytes + 1),
            token + ".", "." + token, token + ".x", token + "=", token + " ", " " + token, token + "\n",
            token + "\u{0}",
            parts[0] + "." + parts[1], parts.joined(separator: ".."), parts.joined(separator: "\u{2024}"),
            [parts[0] + "=", parts[1], parts[2]].joined(separator: "."),
            [parts[0], parts[1], "\u{301}" + parts[2]].joined(separator: "."),
        ]
        for text in malformed { #expect(code(of: text) == .tokenMalformed, "accepted or misjudged: \(text)") }
    }

    @Test func `a token whose any character was changed is refused`() throws {
        let token = Array(try JSONWebToken.sign(claims, with: key).utf8)
        for index in token.indices where token[index] != UInt8(ascii: ".") {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(code(of: String(decoding: changed, as: UTF8.self)) != nil)
        }
    }

    @Test func `another key's token is refused`() throws {
        let other = SigningKey(bytes: [UInt8](repeating: 8, count: 32))
        #expect(code(of: try JSONWebToken.sign(claims, with: other)) == .tokenSignatureInvalid)
    }

    @Test func `errors say nothing about the token`() throws {
        var shown = ""
        do {
            _ = try JSONWebToken.verify(JSONWebToken.sign(claims, with: key), with: key, now: now + 10_000)
        } catch {
            dump(error, to: &shown)
            shown += "\(error) \(String(reflecting: error)) \(error.code.rawValue)"
        }
        #expect(shown.contains("token_expired") || shown.contains("tokenExpired"))
        #expect(!shown.contains("user") && !shown.contains("eyJ") && !shown.contains("t1"))
        #expect(
            Set(CryptographyError.Code.allCases.map { CryptographyError($0).description }).count
                == CryptographyError.Code.allCases.count)
    }
}
