// SPDX-License-Identifier: Apache-2.0

/// Which load to try next, to find the greatest that holds: upwards in steps from the first, or downwards by halves
/// until one holds, and then once between the two. Pure.
struct CapacitySearch: Sendable {
    private static let (first, step, least) = (600, 300, 50)

    private let limit: Int
    /// What to try; `nil` when it is over.
    private(set) var next: Int?
    /// The greatest that held.
    private(set) var best: Int?
    /// The least that did not.
    private(set) var failed: Int?

    init(limit: Int) {
        self.limit = limit
        next = min(Self.first, limit)
    }

    mutating func tried(_ count: Int, holds: Bool) {
        if holds { best = max(best ?? 0, count) } else { failed = min(failed ?? .max, count) }
        next = following()
    }

    private func following() -> Int? {
        guard let failed else { return best.flatMap { $0 < limit ? min($0 + Self.step, limit) : nil } }
        guard let best else { return failed / 2 >= Self.least ? failed / 2 : nil }
        return failed - best > Self.step / 2 ? (failed + best) / 2 : nil
    }
}
