// SPDX-License-Identifier: Apache-2.0

/// Whether a route's requests are counted.
package enum RouteLimit: Sendable, Hashable {
    /// By person and by address.
    case counted
    /// Not at all: what machines ask to see whether we live, and what never changes.
    case exempt
}
