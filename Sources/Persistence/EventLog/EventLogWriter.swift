// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Postgres

/// The publisher's way into the log: one connection, asynchronous commits, one round trip a flush.
package struct EventLogWriter: EventAppender {
    private let connection: DedicatedConnection

    /// - Parameter connection: commits asynchronously; what a crash takes back is written again.
    package init(connection: DedicatedConnection) {
        self.connection = connection
    }

    /// See ``EventAppender``. A full notification queue is no failure: the events are stored without the notice.
    package func append(
        _ events: [StampedEvent], announcing announcements: [StampedEvent]
    ) async throws(EventAppendError) -> Set<JobID> {
        var statements: [SQL] = []
        if !events.isEmpty { statements.append(EventStatements.append(events)) }
        let payloads = StreamNotification.encode(events + announcements)
        let notify = EventStatements.notify(channel: StreamNotification.channel, payloads: payloads)
        // Appending to a connection that has gone would be answered as lost; making a new one here would hide
        // that what it had acknowledged may be lost.
        guard connection.isOpen else { throw .connectionLost }
        do throws(PostgresError) {
            return try await live(statements + [notify], hasEvents: !events.isEmpty)
        } catch {
            // 54000: the notification queue is full. The log is the truth; readers look there.
            guard error.sqlState == "54000" else { throw Self.mapped(error) }
        }
        do throws(PostgresError) {
            return statements.isEmpty ? [] : try await live(statements, hasEvents: true)
        } catch { throw Self.mapped(error) }
    }

    /// See ``EventAppender``. This is the call that opens the connection.
    package func lastSequences(of leases: [Lease]) async throws(EventAppendError) -> [Lease: Int32] {
        do throws(PostgresError) {
            let rows = try await connection.connection().query(
                EventStatements.lastSequences(jobs: leases.map(\.job), leases: leases.map(\.number)))
            var stored: [Lease: Int32] = [:]
            for (job, lease, sequence) in try rows.decode(JobID.self, Int64.self, Int32.self) {
                stored[Lease(job: job, number: lease)] = sequence
            }
            return stored
        } catch { throw Self.mapped(error) }
    }

    private func live(_ statements: [SQL], hasEvents: Bool) async throws(PostgresError) -> Set<JobID> {
        let results = try await connection.connection().pipeline(statements)
        guard hasEvents, let rows = results.first else { return [] }
        return Set(try rows.decode(JobID.self))
    }

    private static func mapped(_ error: PostgresError) -> EventAppendError {
        if error.code == .cancelled { return .cancelled }
        // Class 22 is data that a type refuses, 23 a constraint, 54 a limit: the same bytes will fail again.
        if let state = error.sqlState, ["22", "23", "54"].contains(state.prefix(2)) { return .refused(code: state) }
        return .connectionLost
    }
}
