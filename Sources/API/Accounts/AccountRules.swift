// SPDX-License-Identifier: Apache-2.0

/// What names, addresses and passwords of accounts may look like.
enum AccountRules {
    /// Without `@`, so that no user name can look like another's mail address.
    static let username = TextRule(length: 3...32) { text in
        let isAllowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isAllowed ? nil : "may hold only letters, digits, dots, dashes and underscores"
    }

    /// Whether an address exists is found out by writing to it; only its shape is looked at.
    static let email = TextRule(length: 3...254) { text in
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let isAddress =
            parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0.value > 0x20 && $0.value != 0x7F }
        return isAddress ? nil : "must be a mail address"
    }

    /// Long ones cost no more to hash, but have to end somewhere.
    static let password = TextRule(length: 8...1024)

    /// What is only compared: a wrong one of any shape gets the same answer.
    static let attempt = TextRule(length: 1...1024)
}
