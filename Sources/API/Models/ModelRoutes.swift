// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Observability
import Persistence
import Tokenization

extension APIServices {
    /// `/api/models…`.
    func addModelRoutes(to routes: inout APIRoutes) {
        let models = Models(services: self)
        routes.on(.get, "/api/models", models.list)
        routes.on(.post, "/api/models") { request throws(APIError) in
            try await models.create(request, owner: try request.userID)
        }
        routes.on(.get, "/api/models/:id", models.show)
        routes.on(.put, "/api/models/:id") { request throws(APIError) in
            try await models.update(request, owner: try request.userID)
        }
        routes.on(.delete, "/api/models/:id") { request throws(APIError) in
            try await models.delete(request, owner: try request.userID)
        }
        routes.on(.post, "/api/models/system", access: .admin) { request throws(APIError) in
            try await models.create(request, owner: nil)
        }
        routes.on(.put, "/api/models/system/:id", access: .admin) { request throws(APIError) in
            try await models.update(request, owner: nil)
        }
        routes.on(.delete, "/api/models/system/:id", access: .admin) { request throws(APIError) in
            try await models.delete(request, owner: nil)
        }
    }
}

/// Provider configurations; without an owner they are the system's.
struct Models: Sendable {
    let services: APIServices
    private let catalogue = ModelCatalogue()

    init(services: APIServices) { self.services = services }

    @Sendable func list(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let user = try request.userID
        let (personal, system) = try await APIError.mapping { try await services.models.list(visibleTo: user) }
        return .object { writer in
            writer.arrayMember("personal") { writer in
                for model in personal { model.write(to: &writer) }
            }
            writer.arrayMember("system") { writer in
                for model in system { model.write(to: &writer) }
            }
        }
    }

    @Sendable func show(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let model = try await find(try request.pathID(), visibleTo: try request.userID)
        return .data { model.write(to: &$0) }
    }

    func create(_ request: APIRequest, owner: UserID?) async throws(APIError) -> APIResponse {
        let allowsPrivate = allowsPrivateAddresses(owner)
        let input = try await request.fields {
            ModelInput(&$0, old: nil, allowsPrivateAddresses: allowsPrivate)
        }
        let key: Secret? = if case .set(let key) = input.apiKey { key } else { nil }
        let model: ModelConfiguration
        do throws(PersistenceError) {
            model = try await services.models.create(
                services.ids.next(), owner: owner, input.newFields(catalogue), apiKey: key)
        } catch {
            throw Self.error(error)
        }
        return .data(.created) { model.write(to: &$0) }
    }

    func update(_ request: APIRequest, owner: UserID?) async throws(APIError) -> APIResponse {
        let id: ModelID = try request.pathID()
        let old = try await find(id, visibleTo: try request.userID)
        guard old.scope == owner.map({ .personal($0) }) ?? .system else { throw .notFound("This model") }
        let allowsPrivate = allowsPrivateAddresses(owner)
        let input = try await request.fields {
            ModelInput(&$0, old: old.fields, allowsPrivateAddresses: allowsPrivate)
        }
        let model: ModelConfiguration
        do throws(PersistenceError) {
            model = try await services.models.update(id, owner: owner, apiKey: input.apiKey) { input.applied(to: $0) }
        } catch {
            throw Self.error(error)
        }
        return .data { model.write(to: &$0) }
    }

    func delete(_ request: APIRequest, owner: UserID?) async throws(APIError) -> APIResponse {
        let id: ModelID = try request.pathID()
        do throws(PersistenceError) {
            try await services.models.delete(id, owner: owner)
        } catch {
            throw Self.error(error)
        }
        return .object { writer in
            writer.member("id", id.description)
            writer.member("deleted", true)
        }
    }

    private func find(_ id: ModelID, visibleTo user: UserID) async throws(APIError) -> ModelConfiguration {
        let model = try await APIError.mapping { try await services.models.find(id, visibleTo: user) }
        guard let model else { throw .notFound("This model") }
        return model
    }

    /// An ADMIN may let everyone use a server of the house.
    private func allowsPrivateAddresses(_ owner: UserID?) -> Bool {
        owner == nil || services.configuration.allowsPrivateProviders
    }

    private static func error(_ error: PersistenceError) -> APIError {
        switch error.code {
        case .conflict:
            APIError(
                .conflict, "There is a model of that name already.",
                details: [APIError.FieldError(field: "name", message: "is taken")])
        case .inUse(let count):
            APIError(
                .conflict, "This model is used by \(count) \(count == 1 ? "session" : "sessions").",
                details: [APIError.FieldError(field: "sessions", message: "\(count)")])
        case .notFound: .notFound("This model")
        default: APIError(error)
        }
    }
}
