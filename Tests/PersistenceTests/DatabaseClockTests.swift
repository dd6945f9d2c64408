// SPDX-License-Identifier: Apache-2.0
import Chat
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct DatabaseClockTests {
    @Test(arguments: [-3_600_000, 0, 300_000] as [Int64])
    func `ids and times follow the database whatever the machine's clock says`(skewMilliseconds: Int64) async throws {
        let database = try TestDatabase.required().database
        let skewed: @Sendable () -> WallTime = {
            WallTime(millisecondsSince1970: WallTime.now().millisecondsSince1970 + skewMilliseconds)
        }
        let generator = UUIDv7Generator { skewed().millisecondsSince1970 }
        let clock = DatabaseClock(
            database: database, generator: generator, logger: .discard, wallTime: skewed)
        let distance = abs(clock.now.millisecondsSince1970 - WallTime.now().millisecondsSince1970 - skewMilliseconds)
        #expect(distance < 60_000)
        try await clock.measure()
        let before = try await now(database)
        let (id, time): (JobID, Timestamp) = (generator.next(), clock.now)
        let after = try await now(database)
        // Half a round trip is the error there may be; a slow machine makes it long, a wrong offset minutes.
        let (earliest, latest) = (before.advanced(by: .seconds(-30)), after.advanced(by: .seconds(30)))
        #expect(earliest < time && time < latest)
        let idTime = Timestamp(millisecondsSince1970: Int64(id.high >> 16))
        #expect(earliest < idTime && idTime < latest)
    }

    private func now(_ database: Database) async throws -> Timestamp {
        let rows = try await database.pool.query("SELECT clock_timestamp()")
        return try #require(try rows.decodeFirst(Timestamp.self))
    }
}
