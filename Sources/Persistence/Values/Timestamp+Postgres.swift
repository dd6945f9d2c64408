// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Moments travel as `timestamptz`, whole.
extension Timestamp: PostgresTimestampConvertible {}
