// SPDX-License-Identifier: Apache-2.0
import Persistence

/// The queue settles runs as it stands.
extension PostgresJobQueue: BatchSettler {}
