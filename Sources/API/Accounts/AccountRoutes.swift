// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import HTTP
import JSON
import Observability
import Persistence
import Runtime

extension APIServices {
    /// `/api/auth/…`.
    func addAccountRoutes(to routes: inout APIRoutes) {
        let accounts = Accounts(services: self)
        // What makes tokens is not stopped half-way: the client would not know which one counts.
        routes.on(.post, "/api/auth/register", access: .none, cancelsOnDisconnect: false, accounts.register)
        routes.on(.post, "/api/auth/login", access: .none, cancelsOnDisconnect: false, accounts.logIn)
        routes.on(.post, "/api/auth/refresh", access: .none, cancelsOnDisconnect: false, accounts.refresh)
        routes.on(.post, "/api/auth/logout", access: .none, accounts.logOut)
        routes.on(.get, "/api/auth/me", accounts.me)
        routes.on(.put, "/api/auth/password", cancelsOnDisconnect: false, accounts.changePassword)
    }
}

/// Registration, log-in and what follows from them.
struct Accounts: Sendable {
    let services: APIServices

    @Sendable func register(_ request: APIRequest) async throws(APIError) -> APIResponse {
        guard services.settings.current.registrationEnabled else {
            throw APIError(.forbidden, "Registration is closed.")
        }
        let (username, email, password) = try await request.fields { fields in
            (
                fields.string("username", AccountRules.username), fields.optionalString("email", AccountRules.email),
                fields.string("password", AccountRules.password)
            )
        }
        try await request.countAttempt(on: username)
        let hash = try await hash(password)
        let new = NewUser(id: services.ids.next(), username: username, email: email, passwordHash: hash)
        let user: User
        do throws(PersistenceError) {
            user = try await services.users.create(new)
        } catch {
            throw Self.registrationError(error)
        }
        services.logger.info("a user registered", [.userID: .string(user.id.description)])
        return try await openSession(.created, of: user, verifiedHash: nil)
    }

    @Sendable func logIn(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let (login, password) = try await request.fields { fields in
            // A mail address may stand in either field.
            let name = fields.has("username") || !fields.has("email") ? "username" : "email"
            return (fields.string(name, AccountRules.attempt), fields.string("password", AccountRules.attempt))
        }
        try await request.countAttempt(on: login)
        for _ in 0..<2 {
            let user = try await APIError.mapping { try await services.users.find(login: login) }
            guard let user, try await verify(password, of: user) else {
                if user == nil { _ = try await verify(password, of: nil) }
                break
            }
            do throws(APIError) {
                let answer = try await openSession(.ok, of: user, verifiedHash: user.passwordHash)
                await strengthenHash(of: user, password)
                return answer
            } catch {
                // The hash changed while the old one was verified: another password, or the same one hashed anew.
                guard error.code == .conflict else { throw error }
            }
        }
        throw APIError(.unauthenticated, "The user name or the password is wrong.")
    }

    @Sendable func refresh(_ request: APIRequest) async throws(APIError) -> APIResponse {
        guard let token = try await refreshToken(request) else { throw Self.sessionOver }
        try await request.countAttempt(on: token.text)
        let next = OpaqueToken.generate(.refresh)
        let outcome = try await APIError.mapping { try await services.refreshTokens.rotate(token, to: next) }
        switch outcome {
        case .rotated(let id):
            let user = try await APIError.mapping { try await services.users.find(id) }
            guard let user else { throw Self.sessionOver }
            return try answer(.ok, user, next)
        case .reused(let id):
            services.logger.warning("a refresh token was used twice", [.userID: .string(id.description)])
            throw Self.sessionOver
        case .unknown: throw Self.sessionOver
        }
    }

    @Sendable func logOut(_ request: APIRequest) async throws(APIError) -> APIResponse {
        if let token = try await refreshToken(request) {
            try await APIError.mapping { try await services.refreshTokens.revoke(token) }
        }
        return .object { $0.member("revoked", true) }
    }

    @Sendable func me(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try await currentUser(of: request)
        return .data { user.write(to: &$0) }
    }

    @Sendable func changePassword(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let (current, new) = try await request.fields { fields in
            (
                fields.string("currentPassword", AccountRules.attempt),
                fields.string("newPassword", AccountRules.password)
            )
        }
        let user = try await currentUser(of: request)
        try await request.countAttempt(on: user.id.description)
        guard try await verify(current, of: user) else {
            throw .validation("currentPassword", "is not the current password")
        }
        let hash = try await hash(new)
        try await APIError.mapping {
            try await services.users.changePassword(of: user.id, from: user.passwordHash, to: hash)
        }
        services.logger.info("a password was changed")
        return .object { $0.member("changed", true) }
    }
}

extension Accounts {
    private static let sessionOver = APIError(.unauthenticated, "Your session is over. Please log in.")

    private static func registrationError(_ error: PersistenceError) -> APIError {
        let field: String
        switch error.code {
        case .conflict("users_username"): field = "username"
        case .conflict("users_email"): field = "email"
        default: return APIError(error)
        }
        return APIError(
            .conflict, field == "email" ? "This mail address is taken." : "This user name is taken.",
            details: [APIError.FieldError(field: field, message: "is taken")])
    }

    /// Whoever has a good token may have been deleted since.
    private func currentUser(of request: APIRequest) async throws(APIError) -> User {
        let id = try request.userID
        guard let user = try await APIError.mapping({ try await services.users.find(id) }) else {
            throw .unauthenticated
        }
        return user
    }

    /// Takes as long for nobody, and for a user without a password, as for anyone.
    private func verify(_ password: String, of user: User?) async throws(APIError) -> Bool {
        let hasher = services.passwordHasher
        let hash = user.flatMap { $0.hasPassword ? $0.passwordHash : nil }
        return try await APIError.mapping {
            try await services.blocking.run {
                guard let hash else { return try hasher.verifyUnknownUser(password) }
                return try hasher.verify(password, against: hash)
            }
        }
    }

    private func hash(_ password: String) async throws(APIError) -> String {
        let hasher = services.passwordHasher
        return try await APIError.mapping { try await services.blocking.run { try hasher.hash(password) } }
    }

    /// Replaces a hash of another cost than today's, which only a log-in can do. Whoever logs in has what they came
    /// for: what fails here is tried at the next log-in.
    private func strengthenHash(of user: User, _ password: String) async {
        guard services.passwordHasher.needsRehash(user.passwordHash) else { return }
        do {
            let hash = try await hash(password)
            try await services.users.replaceHash(of: user.id, from: user.passwordHash, to: hash)
            services.logger.info("a password was hashed anew", [.userID: .string(user.id.description)])
        } catch {
            services.logger.warning(
                "a password could not be hashed anew",
                [.userID: .string(user.id.description), .errorDetail: LogValue(APIError(error))])
        }
    }

    /// - Returns: `nil` for text that is no token of ours, which nobody needs to look up.
    private func refreshToken(_ request: APIRequest) async throws(APIError) -> OpaqueToken? {
        let text = try await request.fields { $0.string("refreshToken", AccountRules.attempt) }
        return OpaqueToken(text, kind: .refresh)
    }

    private func openSession(
        _ status: HTTPStatus, of user: User, verifiedHash: String?
    ) async throws(APIError) -> APIResponse {
        let token = OpaqueToken.generate(.refresh)
        try await APIError.mapping {
            try await services.refreshTokens.issue(token, to: user.id, verifiedHash: verifiedHash)
        }
        return try answer(status, user, token)
    }

    private func answer(
        _ status: HTTPStatus, _ user: User, _ refreshToken: OpaqueToken
    ) throws(APIError) -> APIResponse {
        let principal = Principal(userID: user.id, role: user.role)
        let accessToken = try services.tokens.issue(to: principal, now: services.clock.now)
        return .object(status) { writer in
            writer.key("user")
            user.write(to: &writer)
            writer.member("accessToken", accessToken)
            writer.member("refreshToken", refreshToken.text)
            writer.member("expiresIn", services.tokens.lifetime.components.seconds)
        }
    }
}
