// SPDX-License-Identifier: Apache-2.0

/// What our tokens say. Times are whole seconds since 1970; fractions in a foreign token are cut off.
package struct TokenClaims: Sendable, Hashable {
    /// Whose token it is: the user's id.
    package var subject: String
    /// From then on the token is refused.
    package var expiresAt: Int64
    /// When it was made.
    package var issuedAt: Int64
    /// Before then it is refused; `nil` means valid at once.
    package var notBefore: Int64?
    /// The token's own id, for revocation.
    package var id: String?
    /// The user's role when it was made.
    package var role: String?
    /// What the token is for (`access`, `refresh`), so that one cannot be used as the other.
    package var type: String?

    /// Claims of a new token.
    package init(
        subject: String, expiresAt: Int64, issuedAt: Int64, notBefore: Int64? = nil, id: String? = nil,
        role: String? = nil, type: String? = nil
    ) {
        self.subject = subject
        self.expiresAt = expiresAt
        self.issuedAt = issuedAt
        self.notBefore = notBefore
        self.id = id
        self.role = role
        self.type = type
    }
}

extension TokenClaims: Codable {
    private enum CodingKeys: String, CodingKey {
        case subject = "sub"
        case expiresAt = "exp"
        case issuedAt = "iat"
        case notBefore = "nbf"
        case id = "jti"
        case role
        case type = "typ"
    }

    /// Refuses claims without `sub`, `exp` or `iat`, and times that are no numbers or outside of years 1970 to 9999.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func seconds(_ key: CodingKeys) throws -> Int64 {
            let number = try values.decode(Double.self, forKey: key)
            guard (0..<253_402_300_800).contains(number) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: "no time")
            }
            return Int64(number)
        }
        subject = try values.decode(String.self, forKey: .subject)
        expiresAt = try seconds(.expiresAt)
        issuedAt = try seconds(.issuedAt)
        notBefore = values.contains(.notBefore) ? try seconds(.notBefore) : nil
        id = try values.decodeIfPresent(String.self, forKey: .id)
        role = try values.decodeIfPresent(String.self, forKey: .role)
        type = try values.decodeIfPresent(String.self, forKey: .type)
    }
}
