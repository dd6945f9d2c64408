// SPDX-License-Identifier: Apache-2.0
package import Chat
package import JSON

/// The settings in force: what is stored, over what the environment says.
package struct SystemSettings: Sendable, Equatable {
    private var values: [SystemSettingKey: JSONValue]

    /// The environment's.
    ///
    /// - Parameter defaults: every key but the models must be given; a wrong value is a fault of the program.
    package init(defaults: [SystemSettingKey: JSONValue]) {
        for key in SystemSettingKey.allCases where key.kind != .model {
            precondition(defaults[key] != nil, "the setting \(key.rawValue) has no default")
        }
        precondition(defaults.allSatisfy { $0.refusal(of: $1) == nil }, "a default is not of its setting's kind")
        values = defaults
    }

    /// Lays a stored document over these. Members that this version does not know, or whose value it refuses, count as
    /// not there: a newer version wrote them, or they were written by hand.
    package func applying(_ stored: JSONObject) -> SystemSettings {
        var settings = self
        for (name, value) in stored.members {
            guard let key = SystemSettingKey(rawValue: name), key.refusal(of: value) == nil else { continue }
            settings.values[key] = value
        }
        return settings
    }

    /// The value in force; `nil` for a model that is not set.
    package subscript(key: SystemSettingKey) -> JSONValue? { values[key] }

    /// Whether people may register themselves.
    package var registrationEnabled: Bool { bool(.registrationEnabled) }
    /// What the page calls the system.
    package var brandText: String { values[.brandText]?.stringValue ?? "" }
    /// The model of requests and sessions that name none; `nil` leaves it to the environment.
    package var defaultModelID: ModelID? { model(.defaultModelID) }
    /// How often a silent stream shows that it lives.
    package var sseHeartbeatInterval: Duration { milliseconds(.sseHeartbeatIntervalMilliseconds) }
    /// The longest silence of a provider.
    package var providerMaxIdle: Duration { milliseconds(.providerMaxIdleMilliseconds) }
    /// The longest call to a provider.
    package var providerTimeout: Duration { milliseconds(.providerTimeoutMilliseconds) }
    /// Whether streams tell their figures.
    package var usageEmit: Bool { bool(.usageEmit) }
    /// Whether streams tell only figures that a provider reported.
    package var usageProviderOnly: Bool { bool(.usageProviderOnly) }
    /// Whether titles are made.
    package var titleEnabled: Bool { bool(.titleEnabled) }
    /// The model that makes titles; `nil` is the session's own.
    package var titleModelID: ModelID? { model(.titleModelID) }
    /// Whether long threads are summarized.
    package var summaryEnabled: Bool { bool(.summaryEnabled) }
    /// The model that summarizes; `nil` is the session's own.
    package var summaryModelID: ModelID? { model(.summaryModelID) }
    /// The model of embeddings; `nil` is the local one.
    package var embeddingModelID: ModelID? { model(.embeddingModelID) }
    /// Requests of a user within a window.
    package var rateLimitMax: Int { integer(.rateLimitMax) }
    /// Requests of an address within a window.
    package var rateLimitIPMax: Int { integer(.rateLimitIPMax) }
    /// How long a window is.
    package var rateLimitWindow: Duration { milliseconds(.rateLimitWindowMilliseconds) }
    /// Log-ins and the like of an address and account within a window.
    package var authRateLimitMax: Int { integer(.authRateLimitMax) }

    private func bool(_ key: SystemSettingKey) -> Bool { values[key]?.boolValue ?? false }
    private func integer(_ key: SystemSettingKey) -> Int { Int(values[key]?.integerValue ?? 0) }
    private func milliseconds(_ key: SystemSettingKey) -> Duration {
        .milliseconds(values[key]?.integerValue ?? 0)
    }
    private func model(_ key: SystemSettingKey) -> ModelID? {
        values[key]?.stringValue.flatMap { ModelID($0) }
    }
}

/// A change of settings that was checked.
package struct SystemSettingsPatch: Sendable, Equatable {
    /// What is wrong with one member.
    package struct FieldError: Error, Sendable, Hashable {
        /// As the client spelt it.
        package let field: String
        /// A sentence's end.
        package let message: String
    }

    /// All that is wrong, in written order.
    package struct Refusal: Error, Sendable, Hashable {
        /// At least one.
        package let fields: [FieldError]
    }

    let members: JSONObject

    /// Takes known members with values of their kind; null takes the stored value away, so that the environment's holds
    /// again.
    /// - Throws: ``Refusal`` with every member that is unknown or wrong.
    package init(_ object: JSONObject) throws(Refusal) {
        var errors: [FieldError] = []
        for (name, value) in object.members {
            guard let key = SystemSettingKey(rawValue: name) else {
                errors.append(FieldError(field: name, message: "is not a setting"))
                continue
            }
            if !value.isNull, let refusal = key.refusal(of: value) {
                errors.append(FieldError(field: name, message: refusal))
            }
        }
        guard errors.isEmpty else { throw Refusal(fields: errors) }
        members = object
    }
}
