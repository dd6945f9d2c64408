// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Persistence

/// On whose behalf a request acts.
package struct Principal: Sendable, Hashable {
    /// The owner of everything the request sees and makes.
    package let userID: UserID
    /// What the token says; on routes for ADMIN what the database says now.
    package let role: UserRole

    /// See the properties.
    package init(userID: UserID, role: UserRole) {
        self.userID = userID
        self.role = role
    }
}

/// Who may use a route.
package enum AccessLevel: Sendable, Hashable {
    /// Anyone; credentials are not looked at, so a stale token does not keep a person from logging in again.
    case none
    /// Anyone with an account.
    case user
    /// An ADMIN, looked up at each request: whoever lost the role loses it at once.
    case admin
}
