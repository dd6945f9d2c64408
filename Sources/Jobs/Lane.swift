// SPDX-License-Identifier: Apache-2.0

/// What a claim serves first. The raw value is stored and part of the claim's key: a lower one goes first.
package enum Lane: Int16, Sendable, Hashable, CaseIterable {
    case chat = 0
    case title = 1
    case summary = 2
    /// Embedding and ingestion.
    case embedding = 3

    /// Made once: every end of a run says that all lanes may have something.
    package static let all = Set(allCases)

    /// How long the first job in line may wait before the lane gets a small share of every claim that has room for the
    /// background; nil for the lanes that nothing but chat goes before.
    package var targetWait: Duration? {
        switch self {
        case .chat, .title: nil
        case .summary: .seconds(30)
        case .embedding: .seconds(60)
        }
    }

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
