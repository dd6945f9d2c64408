// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Observability
import Postgres
package import Runtime
import Synchronization

/// The database's clock without asking it each time: the times that people see and the ids that sort by them come
/// from one clock, whatever the machines' own say.
///
/// Measured at start and every minute: of three questions, the one that was answered fastest. Between measurements it
/// counts on with the machine's continuous clock, which does not step.
///
/// Concurrency: any thread. Cost of `now`: one uncontended lock.
package final class DatabaseClock: Service {
    private struct Anchor {
        let instant: ContinuousClock.Instant
        let time: Timestamp
    }

    private static let interval = Duration.seconds(60)
    private static let samples = 3

    /// For the log.
    package let name = "database-clock"
    private let database: Database
    private let generator: UUIDv7Generator
    private let wallTime: @Sendable () -> WallTime
    private let logger: Logger
    private let anchor = Mutex<Anchor?>(nil)

    /// The generator is told the offset at each measurement; it must read the same wall clock, which `now` follows until
    /// the first one.
    package init(
        database: Database, generator: UUIDv7Generator, logger: Logger,
        wallTime: @escaping @Sendable () -> WallTime = WallTime.now
    ) {
        self.database = database
        self.generator = generator
        self.logger = logger
        self.wallTime = wallTime
    }

    /// The database's time, within half a round trip.
    package var now: Timestamp {
        guard let anchor = anchor.withLock({ $0 }) else {
            return Timestamp(millisecondsSince1970: wallTime().millisecondsSince1970)
        }
        return anchor.time.advanced(by: ContinuousClock.now - anchor.instant)
    }

    /// Asks the database; called once before anything makes ids.
    package func measure() async throws(PersistenceError) {
        var best: (roundTrip: Duration, anchor: Anchor, offset: Duration)?
        for _ in 0..<Self.samples {
            let before = ContinuousClock.now
            let rows = try await database.query(ClockStatements.now)
            let after = ContinuousClock.now
            let wall = wallTime().millisecondsSince1970
            guard let row = rows.first else { continue }
            var columns = ColumnReader(row)
            let time: Timestamp = try columns.next()
            let roundTrip = after - before
            if let best, best.roundTrip <= roundTrip { continue }
            // The answer is taken to have been given in the middle of the round trip.
            let timeAfter = time.advanced(by: roundTrip / 2)
            let offset = Duration.microseconds(timeAfter.microsecondsSince1970) - .milliseconds(wall)
            best = (roundTrip, Anchor(instant: after, time: timeAfter), offset)
        }
        guard let best else { return }
        anchor.withLock { $0 = best.anchor }
        generator.setOffset(best.offset)
    }

    /// Measures every minute. A failed measurement is repeated at the next: the old offset stays right for long.
    package func run(_ shutdown: ShutdownSignal) async throws {
        while !shutdown.isTriggered, !Task.isCancelled {
            await shutdown.wait(atMost: Self.interval)
            if shutdown.isTriggered || Task.isCancelled { return }
            do throws(PersistenceError) {
                try await measure()
            } catch {
                logger.warning("the database's clock could not be read", [.errorCode: .string(error.label)])
            }
        }
    }
}

/// What the clock asks.
enum ClockStatements {
    /// No table.
    static let now: SQL = """
        SELECT clock_timestamp()
        """
}
