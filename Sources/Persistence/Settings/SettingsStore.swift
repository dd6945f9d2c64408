// SPDX-License-Identifier: Apache-2.0
import JSON
package import Observability
import Postgres
package import Runtime
import Synchronization

/// The system's settings, kept in memory and read again every three seconds, so that a change made through any process
/// holds in every process within five.
///
/// Concurrency: any thread. Cost of `current`: one uncontended lock.
package final class SettingsStore: Service {
    private static let interval = Duration.seconds(3)

    /// For the log.
    package let name = "settings"
    private let database: Database
    private let defaults: SystemSettings
    private let logger: Logger
    private let cached: Mutex<SystemSettings>

    /// The defaults are in force until the first ``refresh()``, and for what is not stored.
    package init(database: Database, defaults: SystemSettings, logger: Logger) {
        self.database = database
        self.defaults = defaults
        self.logger = logger
        cached = Mutex(defaults)
    }

    /// As of the last refresh.
    package var current: SystemSettings { cached.withLock { $0 } }

    /// Reads what is stored; called once before anything is served.
    @discardableResult
    package func refresh() async throws(PersistenceError) -> SystemSettings {
        let rows = try await database.query(SettingStatements.read)
        return keep(try apply(rows))
    }

    /// Stores a change; holds in this process at once.
    /// - Returns: the settings then in force.
    package func update(_ patch: SystemSettingsPatch) async throws(PersistenceError) -> SystemSettings {
        let rows = try await database.query(SettingStatements.merge(StoredJSON.text(.object(patch.members))))
        return keep(try apply(rows))
    }

    /// Refreshes until shutdown. What fails is tried again at the next turn: the last known settings stay in force.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered, !Task.isCancelled {
            await shutdown.wait(atMost: Self.interval)
            if shutdown.isTriggered || Task.isCancelled { return }
            do throws(PersistenceError) {
                try await refresh()
            } catch {
                logger.warning("the settings could not be read", [.errorCode: .string(error.label)])
            }
        }
    }

    private func apply(_ rows: PostgresRows) throws(PersistenceError) -> SystemSettings {
        guard let row = rows.first else { return defaults }
        var columns = ColumnReader(row)
        return defaults.applying(try StoredJSON.parseObject(try columns.next(), column: "system_settings.value"))
    }

    private func keep(_ settings: SystemSettings) -> SystemSettings {
        cached.withLock { $0 = settings }
        return settings
    }
}
