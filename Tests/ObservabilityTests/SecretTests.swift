// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Observability

@Suite struct SecretTests {
    @Test func `a secret is not shown by anything that prints`() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(["key": secret], to: &dumped)
        let shown = [
            "\(secret)", String(reflecting: secret), String(describing: Optional(secret)), dumped,
            "\(LogValue(secret))",
        ]
        #expect(shown.allSatisfy { !$0.contains("hunter2") && $0.contains("***") })
        #expect(secret.revealed() == "hunter2")
        #expect(Secret("").isEmpty && !secret.isEmpty)
    }
}
