// SPDX-License-Identifier: Apache-2.0

/// Knows whether those who watch a session have heard of all its changes.
///
/// Each change has a version of its own, without gaps. Notifications may be lost and may overtake each other, so a
/// missing version is only a gap once it has been missing for a while; then a snapshot is read, which covers it.
struct SessionVersions {
    /// What to do about a change that was heard.
    enum Step: Sendable, Hashable {
        case ignore
        /// Tell those who watch.
        case relay
        /// Too much is missing to be kept account of: read a snapshot.
        case snapshot
    }

    /// So many changes are kept that were heard before one that is missing.
    static let aheadLimit = 64

    /// Everything up to here was heard or is covered by a snapshot; 0 before the first one.
    private(set) var seen: Int64 = 0
    /// The highest version that is known to exist.
    private(set) var known: Int64 = 0
    /// Since when something is missing; nil while nothing is.
    private(set) var missingSince: ContinuousClock.Instant?
    private var ahead: Set<Int64> = []

    /// A change was heard.
    mutating func heard(_ version: Int64, now: ContinuousClock.Instant) -> Step {
        guard version > seen, !ahead.contains(version) else { return .ignore }
        known = max(known, version)
        guard ahead.count < Self.aheadLimit else {
            ahead = []
            note(now)
            return .snapshot
        }
        ahead.insert(version)
        advance()
        note(now)
        return .relay
    }

    /// The row's version was read; when the read began, everything up to `seenBefore` was seen.
    /// - Returns: whether the database has lost changes that were heard, so that their numbers come again: only a
    ///   snapshot helps.
    mutating func compared(_ version: Int64, seenBefore: Int64, now: ContinuousClock.Instant) -> Bool {
        if version < seenBefore { return true }
        known = max(known, version)
        note(now)
        return false
    }

    /// A snapshot of this version was read, for all who watch or only for some.
    mutating func took(_ version: Int64, coversAll: Bool, now: ContinuousClock.Instant) {
        if coversAll { seen = max(seen, version) }
        known = max(known, version)
        ahead = ahead.filter { $0 > seen }
        advance()
        note(now)
    }

    /// What was heard counts no longer: the connection that told of it was lost, or the database went back.
    mutating func forget() {
        self = SessionVersions()
    }

    /// Whether something has been missing for so long.
    func isMissing(for grace: Duration, now: ContinuousClock.Instant) -> Bool {
        guard let missingSince else { return false }
        return now - missingSince >= grace
    }

    private mutating func advance() {
        while ahead.remove(seen + 1) != nil { seen += 1 }
    }

    private mutating func note(_ now: ContinuousClock.Instant) {
        missingSince = seen < known ? missingSince ?? now : nil
    }
}
