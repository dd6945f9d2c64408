// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTP
package import Persistence

/// Finds out on whose behalf a request acts, and whether that is enough for its route.
package struct Authenticator: Sendable {
    private let tokens: AccessTokens
    private let users: UserStore
    private let clock: DatabaseClock
    private let singleUser: UserID?

    /// Without a `singleUser`, who acts when a request has no token, people log in.
    package init(tokens: AccessTokens, users: UserStore, clock: DatabaseClock, singleUser: UserID?) {
        self.tokens = tokens
        self.users = users
        self.clock = clock
        self.singleUser = singleUser
    }

    /// - Returns: `nil` only for ``AccessLevel/none``.
    /// - Throws: `unauthenticated`, `token_expired`, `forbidden`.
    package func principal(
        of request: HTTPRequest, for level: AccessLevel
    ) async throws(APIError) -> Principal? {
        switch level {
        case .none: nil
        case .user: try identify(request.fields)
        case .admin: try await requireRole(.admin, of: try identify(request.fields))
        }
    }

    /// A token that is there must be good, also where none is needed.
    private func identify(_ fields: HTTPFields) throws(APIError) -> Principal {
        let credentials = fields.values(.authorization)
        guard let first = credentials.first else {
            guard let singleUser else { throw .unauthenticated }
            return Principal(userID: singleUser, role: .admin)
        }
        let words = first.split(separator: " ", omittingEmptySubsequences: true)
        guard credentials.count == 1, words.count == 2, words[0].lowercased() == "bearer" else {
            throw APIError(.unauthenticated, "Please log in.", cause: "no bearer token")
        }
        return try tokens.verify(String(words[1]), now: clock.now)
    }

    /// Believes the database, not the token: a role may have been taken away since it was made.
    private func requireRole(_ role: UserRole, of principal: Principal) async throws(APIError) -> Principal {
        let user: User?
        do throws(PersistenceError) {
            user = try await users.find(principal.userID)
        } catch {
            throw APIError(error)
        }
        guard let user else { throw .unauthenticated }
        guard user.role == role else { throw APIError(.forbidden, "This needs the role \(role.rawValue).") }
        return Principal(userID: user.id, role: user.role)
    }
}
