// SPDX-License-Identifier: Apache-2.0

/// What a claim serves first. The raw value is stored and part of the claim's key: a lower one goes first.
package enum Lane: Int16, Sendable, Hashable, CaseIterable {
    case chat = 0
    case title = 1
    case summary = 2
    /// Embedding and ingestion.
    case embedding = 3

    /// The name in `J.lane` and in metric labels.
    package var name: String {
        switch self {
        case .chat: "chat"
        case .title: "title"
        case .summary: "summary"
        case .embedding: "embedding"
        }
    }
}
