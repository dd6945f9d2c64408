// SPDX-License-Identifier: Apache-2.0
package import Chat

/// A change of a session that was committed: what pages that show it are told. Telling may fail; the row's version is
/// the truth, and who watches compares it.
package struct SessionChange: Sendable, Hashable {
    /// What changed, as far as it matters to a page.
    package enum Kind: Sendable, Hashable {
        /// The title is this now.
        case title(String)
        /// These messages are new or different.
        case messages([MessageID])
        /// Where the session's job stands; no event of its own says so.
        case standing
        /// Something that no event shows.
        case other
        /// The session is gone; there is no version after that.
        case deleted
    }

    /// Whose change it is.
    package let session: SessionID
    /// The row's version since this change. Each change has one of its own.
    package let version: Int64
    /// What changed.
    package let kind: Kind

    /// See the properties.
    package init(session: SessionID, version: Int64, kind: Kind) {
        self.session = session
        self.version = version
        self.kind = kind
    }
}

/// Is handed each change after its commit; must not block. ``WakeNotifier/changed(_:)`` is the product's.
package typealias SessionChangeHandler = @Sendable (SessionChange) -> Void
