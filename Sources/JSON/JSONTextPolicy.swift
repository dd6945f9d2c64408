// SPDX-License-Identifier: Apache-2.0

/// What happens to text that is not a sequence of storable Unicode scalars.
package enum JSONTextPolicy: Sendable {
    /// Broken UTF-8 and unpaired surrogates are errors; U+0000 is text like any other.
    case strict
    /// As `strict`, and U+0000 is an error: PostgreSQL text cannot hold it. For what people send.
    case storable
    /// Broken UTF-8, unpaired surrogates and U+0000 become U+FFFD. For what providers send.
    case repairing
}
