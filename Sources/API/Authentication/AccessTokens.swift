// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Cryptography
import Persistence

/// Makes and reads access tokens: JWT, HS256, of the type `access`.
///
/// They are believed without a look into the database, which is why they are short-lived. Any thread.
package struct AccessTokens: Sendable {
    private static let type = "access"

    /// From the making of a token until it is refused.
    package let lifetime: Duration
    private let key: SigningKey

    /// - Parameters:
    ///   - key: of `JWT_SECRET`, the same in every process.
    ///   - lifetime: whole seconds.
    package init(key: SigningKey, lifetime: Duration = .seconds(15 * 60)) {
        self.key = key
        self.lifetime = lifetime
    }

    /// A token for a user.
    package func issue(to principal: Principal, now: Timestamp) throws(APIError) -> String {
        let seconds = now.millisecondsSince1970 / 1000
        let claims = TokenClaims(
            subject: principal.userID.description, expiresAt: seconds + lifetime.components.seconds,
            issuedAt: seconds, role: principal.role.rawValue, type: Self.type)
        do throws(CryptographyError) {
            return try JSONWebToken.sign(claims, with: key)
        } catch {
            throw .internal(cause: error.code.rawValue)
        }
    }

    /// Whom a token speaks for.
    /// - Throws: `token_expired`; `unauthenticated` for everything else that is wrong with it.
    package func verify(_ token: String, now: Timestamp) throws(APIError) -> Principal {
        let claims: TokenClaims
        do throws(CryptographyError) {
            claims = try JSONWebToken.verify(token, with: key, now: now.millisecondsSince1970 / 1000)
        } catch {
            if error.code == .tokenExpired { throw APIError(.tokenExpired, "Your session has expired.") }
            throw APIError(.unauthenticated, "Please log in.", cause: error.code.rawValue)
        }
        guard claims.type == Self.type, let id = UserID(claims.subject),
            let role = claims.role.flatMap(UserRole.init(rawValue:))
        else { throw APIError(.unauthenticated, "Please log in.", cause: "wrong kind of token") }
        return Principal(userID: id, role: role)
    }
}
