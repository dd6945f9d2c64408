// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

extension EventStatements {
    /// ``append(jobs:leases:sequences:kinds:data:written:)`` of events as they come from the publisher.
    static func append(_ events: [StampedEvent]) -> SQL {
        append(
            jobs: events.map(\.job), leases: events.map(\.event.cursor.lease),
            sequences: events.map(\.event.cursor.sequence), kinds: events.map(\.event.kind.rawValue),
            data: events.map { String(decoding: $0.event.data, as: UTF8.self) }, written: events.map(\.written))
    }

    /// As ``append(_:)`` without a fence, for events of one job.
    static func appendUnfenced(_ events: [StampedEvent], of job: JobID) -> SQL {
        appendUnfenced(
            job: job, leases: events.map(\.event.cursor.lease), sequences: events.map(\.event.cursor.sequence),
            kinds: events.map(\.event.kind.rawValue),
            data: events.map { String(decoding: $0.event.data, as: UTF8.self) }, written: events.map(\.written))
    }

    /// A row of ``read(_:after:since:limit:)``.
    static func decode(_ row: PostgresRow) throws(PostgresError) -> LoggedEvent {
        let (lease, sequence, kind, data) = try row.decode(Int64.self, Int32.self, Int16.self, String.self)
        return LoggedEvent(
            cursor: StreamCursor(lease: lease, sequence: sequence),
            kind: StreamEventKind(rawValue: kind) ?? .queued, data: Array(data.utf8))
    }
}

extension Identifier {
    /// When a UUIDv7 was made, less an hour for clocks that disagree: nothing of the job is older.
    var madeAt: Timestamp { Timestamp(millisecondsSince1970: Int64(high >> 16) - 3_600_000) }
}

extension Duration {
    /// Rounded towards zero, for a statement's millisecond values.
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
