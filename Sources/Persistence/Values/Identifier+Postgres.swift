// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Ids travel as `uuid`.
extension Identifier: PostgresUUIDConvertible {}
