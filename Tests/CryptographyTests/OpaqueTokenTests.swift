// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite struct OpaqueTokenTests {
    @Test(arguments: OpaqueToken.Kind.allCases)
    func `a new token is recognised again and stored as its hash`(kind: OpaqueToken.Kind) throws {
        let token = OpaqueToken.generate(kind)
        #expect(token.text.hasPrefix(kind.rawValue) && token.text.utf8.count == 46)
        let again = try #require(OpaqueToken(token.text, kind: kind))
        #expect(again.hash == token.hash)
        #expect(token.hash == SHA256.hash(Array(token.text.utf8)))
        #expect(OpaqueToken.generate(kind).text != token.text)
        for other in OpaqueToken.Kind.allCases where other != kind {
            #expect(OpaqueToken(token.text, kind: other) == nil)
        }
    }

    @Test func `texts of another form are not tokens`() {
        let text = OpaqueToken.generate(.apiKey).text
        let body = text.dropFirst(3)
        let refused = [
            "", "sk-", String(body), "SK-" + body, String(text.dropLast()), text + "A", text + "=", " " + text,
            text.dropLast() + "!", text.dropLast() + "é", "sk-\u{301}" + body, "sk-proj-abcdefghijklmnop",
            "sk-" + String(repeating: "/", count: 43), "sk-" + String(repeating: "_", count: 43),
        ]
        for text in refused { #expect(OpaqueToken(text, kind: .apiKey) == nil, "accepted: \(text)") }
    }

    @Test func `a token is not shown by anything that prints`() {
        let token = OpaqueToken.generate(.apiKey)
        var shown = "\(token) \(String(reflecting: token))"
        dump([token], to: &shown)
        #expect(!shown.contains(token.text.dropFirst(3)))
        #expect(shown.contains("sk-***"))
    }
}
