// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import JSON
import Observability
import Persistence

extension APIServices {
    /// `/api/settings/…` of the system.
    func addSettingRoutes(to routes: inout APIRoutes) {
        let settings = Settings(services: self)
        routes.on(.get, "/api/settings/system", access: .admin, settings.show)
        routes.on(.put, "/api/settings/system", access: .admin, settings.update)
        routes.on(.get, "/api/settings/app-info", access: .none, limit: .exempt, settings.appInfo)
    }
}

/// The system's settings, and what everyone may know of them.
struct Settings: Sendable {
    let services: APIServices

    @Sendable func show(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let settings = try await APIError.mapping { try await services.settings.refresh() }
        return Self.answer(settings)
    }

    @Sendable func update(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let (object, _) = try await request.objectAndBytes()
        let patch: SystemSettingsPatch
        do throws(SystemSettingsPatch.Refusal) {
            patch = try SystemSettingsPatch(object)
        } catch {
            throw .validation(error.fields.map { APIError.FieldError(field: $0.field, message: $0.message) })
        }
        try await checkModels(object, visibleTo: try request.userID)
        let settings = try await APIError.mapping { try await services.settings.update(patch) }
        services.logger.info("the system's settings were changed")
        return Self.answer(settings)
    }

    @Sendable func appInfo(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let settings = services.settings.current
        return .object { writer in
            writer.member("name", "Switchyard")
            writer.member("version", services.configuration.version)
            writer.member("mode", services.configuration.mode.word)
            writer.member("brandText", settings.brandText)
            writer.objectMember("features") { writer in
                writer.member("registration", settings.registrationEnabled)
                writer.member("titles", settings.titleEnabled)
                writer.member("summaries", settings.summaryEnabled)
                writer.member("usage", settings.usageEmit)
            }
        }
    }

    /// A setting holds for everyone, so it must name a model that everyone sees.
    private func checkModels(_ object: JSONObject, visibleTo user: UserID) async throws(APIError) {
        var errors: [APIError.FieldError] = []
        for key in SystemSettingKey.allCases where key.kind == .model {
            guard let id = object[key.rawValue]?.stringValue.flatMap({ ModelID($0) }) else { continue }
            let model = try await APIError.mapping { try await services.models.find(id, visibleTo: user) }
            let isShared = model.map { if case .personal = $0.scope { false } else { true } } ?? false
            if !isShared {
                errors.append(APIError.FieldError(field: key.rawValue, message: "must be the id of a system model"))
            }
        }
        if !errors.isEmpty { throw .validation(errors) }
    }

    private static func answer(_ settings: SystemSettings) -> APIResponse {
        .object { writer in
            for key in SystemSettingKey.allCases { writer.member(key.rawValue, settings[key] ?? .null) }
        }
    }
}
