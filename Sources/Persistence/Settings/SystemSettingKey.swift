// SPDX-License-Identifier: Apache-2.0
import Chat
package import JSON

/// A setting of the whole system. The raw value is its name for clients and in the stored document.
package enum SystemSettingKey: String, Sendable, Hashable, CaseIterable {
    case registrationEnabled
    case brandText
    case defaultModelID = "defaultModelId"
    case sseHeartbeatIntervalMilliseconds = "sseHeartbeatIntervalMs"
    case providerMaxIdleMilliseconds = "providerMaxIdleMs"
    case providerTimeoutMilliseconds = "providerTimeoutMs"
    case usageEmit
    case usageProviderOnly
    case titleEnabled
    case titleModelID = "titleModelId"
    case summaryEnabled
    case summaryModelID = "summaryModelId"
    case embeddingModelID = "embeddingModelId"
    case rateLimitMax
    case rateLimitIPMax = "rateLimitIpMax"
    case rateLimitWindowMilliseconds = "rateLimitWindowMs"
    case authRateLimitMax

    /// What values it takes.
    package enum Kind: Sendable, Hashable {
        case bool
        /// At most so many bytes of UTF-8.
        case text(maximumBytes: Int)
        case integer(ClosedRange<Int64>)
        /// A model's id; empty when it is not set.
        case model
    }

    /// What values it takes.
    package var kind: Kind {
        switch self {
        case .registrationEnabled, .usageEmit, .usageProviderOnly, .titleEnabled, .summaryEnabled: .bool
        case .brandText: .text(maximumBytes: 200)
        case .defaultModelID, .titleModelID, .summaryModelID, .embeddingModelID: .model
        case .sseHeartbeatIntervalMilliseconds: .integer(100...300_000)
        case .providerMaxIdleMilliseconds, .providerTimeoutMilliseconds: .integer(100...86_400_000)
        case .rateLimitMax, .rateLimitIPMax, .authRateLimitMax: .integer(1...10_000_000)
        case .rateLimitWindowMilliseconds: .integer(1000...86_400_000)
        }
    }

    /// Why a value cannot be this setting's, as a sentence; `nil` when it can.
    package func refusal(of value: JSONValue) -> String? {
        switch (kind, value) {
        case (.bool, .bool): nil
        case (.bool, _): "must be true or false"
        case (.text(let maximumBytes), .string(let text)):
            text.utf8.count <= maximumBytes && !text.utf8.contains(0) ? nil : "must be at most \(maximumBytes) bytes"
        case (.text, _): "must be text"
        case (.integer(let range), _):
            value.integerValue.map(range.contains) == true
                ? nil : "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case (.model, .string(let text)): ModelID(text) == nil ? "must be the id of a model" : nil
        case (.model, _): "must be the id of a model"
        }
    }
}
