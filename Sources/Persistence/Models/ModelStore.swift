// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Cryptography
import Jobs
package import Observability
import Postgres

/// Provider configurations: people's own, the system's, and those of the environment, which lists and look-ups see but
/// nothing stores. Keys are sealed under the ring with the model's id, so that a key copied to another row does not
/// open there.
///
/// `owner` is `nil` for the system's configurations; that the caller is an ADMIN is checked before.
package struct ModelStore: Sendable {
    private let database: Database
    private let keyRing: KeyRing
    private let environment: SystemModels

    /// The environment is the same in every process, or sessions do not find their model everywhere.
    package init(database: Database, keyRing: KeyRing, environment: SystemModels) {
        self.database = database
        self.keyRing = keyRing
        self.environment = environment
    }

    /// All that a person can choose, the environment's first among the system's.
    package func list(
        visibleTo user: UserID
    ) async throws(PersistenceError) -> (personal: [ModelConfiguration], system: [ModelConfiguration]) {
        let stored = try await models(ModelStatements.list(visibleTo: user)).map(\.configuration)
        let personal = stored.filter { $0.scope != .system }
        return (personal, environment.models.map(\.configuration) + stored.filter { $0.scope == .system })
    }

    /// One that the person can choose.
    /// - Returns: `nil` when there is none, or it is another's.
    package func find(_ id: ModelID, visibleTo user: UserID) async throws(PersistenceError) -> ModelConfiguration? {
        if let model = environment.find(id) { return model.configuration }
        return try await models(ModelStatements.find(id, visibleTo: user)).first?.configuration
    }

    /// Adds one.
    /// - Throws: `conflict` when the owner has one of that name.
    package func create(
        _ id: ModelID, owner: UserID?, _ fields: ModelFields, apiKey: Secret?
    ) async throws(PersistenceError) -> ModelConfiguration {
        try checkName(fields.name, owner: owner)
        let sealed = try seal(apiKey, for: id)
        return try await database.withTransaction { transaction in
            let rows = try await transaction.query(
                ModelStatements.insert(id, owner: owner, fields, sealedKey: sealed))
            guard let model = try Self.models(rows).first else {
                throw PersistenceError(.internal, detail: "no row was inserted")
            }
            try await ProviderStore.limit(id, fields.limits, isShared: owner == nil, in: transaction)
            return model.configuration
        }
    }

    /// Changes one under its lock: `change` gets what is stored and returns what shall be.
    /// - Throws: `notFound`; `conflict` when the new name is taken.
    package func update(
        _ id: ModelID, owner: UserID?, apiKey: FieldChange<Secret> = .keep,
        _ change: (ModelFields) -> ModelFields
    ) async throws(PersistenceError) -> ModelConfiguration {
        let sealed = try seal(apiKey.value, for: id)
        return try await database.withTransaction { transaction in
            let rows = try await transaction.query(ModelStatements.lock(id, owner: owner))
            guard let old = try Self.models(rows).first else { throw PersistenceError(.notFound) }
            let fields = change(old.configuration.fields)
            if fields.name != old.configuration.fields.name { try checkName(fields.name, owner: owner) }
            let updated = try await transaction.query(
                ModelStatements.update(
                    id, owner: owner, fields, sealedKey: apiKey.isSet ? sealed : old.sealedKey))
            guard let model = try Self.models(updated).first else { throw PersistenceError(.notFound) }
            if fields.limits != old.configuration.fields.limits {
                try await ProviderStore.limit(id, fields.limits, isShared: owner == nil, in: transaction)
            }
            return model.configuration
        }
    }

    /// Removes one that no session uses.
    /// - Throws: `notFound`; `inUse` with the number of sessions.
    package func delete(_ id: ModelID, owner: UserID?) async throws(PersistenceError) {
        try await database.withTransaction { transaction in
            let rows = try await transaction.query(ModelStatements.lock(id, owner: owner))
            guard !rows.isEmpty else { throw PersistenceError(.notFound) }
            let uses = try await transaction.query(ModelStatements.countUses(id, owner: owner))
            if let count = try uses.decodeFirst(Int.self), count > 0 { throw PersistenceError(.inUse(count: count)) }
            try await transaction.execute(ModelStatements.delete(id, owner: owner))
            try await ProviderStore.limit(id, ProviderLimits(), isShared: owner == nil, in: transaction)
        }
    }

    /// What a request needs, with the key opened. `id` is the session's or the request's choice; without one it is
    /// `defaultID`, the settings' default, while that can be found, else the environment's first model with a key, else
    /// the local one.
    /// - Throws: `notFound` for an id that the user does not see; `internal` when the key cannot be opened.
    package func resolve(
        _ id: ModelID?, for user: UserID, defaultID: ModelID?
    ) async throws(PersistenceError) -> ResolvedModel {
        if let id {
            guard let model = try await resolve(id, for: user) else { throw PersistenceError(.notFound) }
            return model
        }
        if let defaultID, let model = try await resolve(defaultID, for: user) { return model }
        guard let model = environment.preferred else { throw PersistenceError(.notFound) }
        return model
    }

    /// By the configuration's name, else by the provider's name of the model; the person's own before the system's.
    /// - Returns: `nil` when neither is known.
    package func resolve(named name: String, for user: UserID) async throws(PersistenceError) -> ResolvedModel? {
        if let stored = try await models(ModelStatements.find(named: name, visibleTo: user)).first {
            return try open(stored)
        }
        return environment.find(named: name)
    }

    /// The model that ``resolve(_:for:defaultID:)`` falls back on when neither a choice nor a default is left.
    package var fallbackID: ModelID? { environment.preferred?.id }

    private func resolve(_ id: ModelID, for user: UserID) async throws(PersistenceError) -> ResolvedModel? {
        if let model = environment.find(id) { return model }
        guard let stored = try await models(ModelStatements.find(id, visibleTo: user)).first else { return nil }
        return try open(stored)
    }

    private func models(_ sql: SQL) async throws(PersistenceError) -> [StoredModel] {
        try Self.models(try await database.query(sql))
    }

    private static func models(_ rows: PostgresRows) throws(PersistenceError) -> [StoredModel] {
        var models: [StoredModel] = []
        for row in rows {
            var columns = ColumnReader(row)
            models.append(try StoredModel(&columns))
        }
        return models
    }

    private func checkName(_ name: String, owner: UserID?) throws(PersistenceError) {
        if owner == nil, environment.models.contains(where: { $0.fields.name == name }) {
            throw PersistenceError(.conflict(constraint: "models_user_id_name_key"))
        }
    }

    private func seal(_ key: Secret?, for id: ModelID) throws(PersistenceError) -> [UInt8]? {
        guard let key, !key.isEmpty else { return nil }
        do throws(CryptographyError) {
            return try keyRing.seal(Array(key.revealed().utf8), associatedData: Self.associatedData(id)).bytes
        } catch {
            throw PersistenceError(.internal, detail: "a key cannot be sealed: \(error.code.rawValue)")
        }
    }

    private func open(_ stored: StoredModel) throws(PersistenceError) -> ResolvedModel {
        guard let sealedKey = stored.sealedKey else {
            return ResolvedModel(configuration: stored.configuration, apiKey: nil)
        }
        do throws(CryptographyError) {
            let key = try keyRing.open(
                SealedBox(bytes: sealedKey), associatedData: Self.associatedData(stored.configuration.id))
            return ResolvedModel(
                configuration: stored.configuration, apiKey: Secret(String(decoding: key, as: UTF8.self)))
        } catch {
            throw PersistenceError(.internal, detail: "a key cannot be opened: \(error.code.rawValue)")
        }
    }

    private static func associatedData(_ id: ModelID) -> [UInt8] { Array("models/\(id)".utf8) }
}
