// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct ValueTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value], _ connection: PostgresConnection
    ) async throws where Value: PostgresArrayElement {
        for value in values {
            let back = try await connection.query("SELECT \(value)")[0].decode(Value.self)
            #expect(back == value)
        }
        let (array, empty) = try await connection.query("SELECT \(values), \([Value]())")[0]
            .decode([Value].self, [Value].self)
        #expect(array == values)
        #expect(empty == [])
        let optionals = values.map(Optional.some) + [nil]
        let (back, null, none) = try await connection.query("SELECT \(optionals), \(Value?.none), \([Value]?.none)")[0]
            .decode([Value?].self, Value?.self, [Value]?.self)
        #expect(back == optionals)
        #expect(null == nil)
        #expect(none == nil)
        let unnested = try await connection.query(
            "SELECT v FROM unnest(\(optionals)) WITH ORDINALITY AS t(v, n) ORDER BY n"
        )
        .decode(Value?.self)
        #expect(unnested == optionals)
    }

    @Test func `every type goes there and back, alone, in arrays, and as NULL`() async throws {
        let connection = try await TestServer.connect()
        try await roundTrip([true, false], connection)
        try await roundTrip([Int16.min, -1, 0, .max], connection)
        try await roundTrip([Int32.min, -1, 0, .max], connection)
        try await roundTrip([Int64.min, -1, 0, 1 << 40, .max], connection)
        try await roundTrip([Int.min, 0, .max], connection)
        try await roundTrip([Float(1.5), -0.0, .infinity], connection)
        try await roundTrip([Double.pi, -1e300, .infinity], connection)
        try await roundTrip(["", "plain", "Ä 😀 \u{1}\t'\"\\", "{,NULL}"], connection)
        try await roundTrip([[UInt8]](arrayLiteral: [], [0, 1, 255], Array(repeating: 7, count: 1000)), connection)
        try await roundTrip([PostgresUUID(high: 0x0123_4567_89ab_cdef, low: .max)], connection)
        try await roundTrip([PostgresTimestamp(millisecondsSince1970: 1_700_000_000_123), .infinity], connection)
        try await roundTrip([JSONText("{\"a\": [1, null]}")], connection)
        try await roundTrip([Colour.red, .blue], connection)
        await connection.close()
    }

    private enum Colour: String, PostgresConvertible { case red, blue }

    private struct Key: PostgresUUIDConvertible, Equatable {
        let high: UInt64
        let low: UInt64
    }

    private struct Moment: PostgresTimestampConvertible, Equatable { let microsecondsSince1970: Int64 }

    @Test func `types of other modules travel by an empty extension`() async throws {
        let connection = try await TestServer.connect()
        let key = Key(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
        let (back, text, keys) = try await connection.query("SELECT \(key), \(key)::text, \([key, key])")[0]
            .decode(Key.self, String.self, [Key].self)
        #expect(back == key)
        #expect(text == "00112233-4455-6677-8899-aabbccddeeff")
        #expect(keys == [key, key])
        let moment = Moment(microsecondsSince1970: 1_000_001)
        let rows = try await connection.query("SELECT \(moment), extract(epoch FROM \(moment))::float8")
        #expect(try rows[0].decode(Moment.self, Double.self) == (moment, 1.000001))
        let infinite = try await connection.query("SELECT 'infinity'::timestamptz")
        #expect(throws: PostgresError(.decoding(.outOfRange), column: "timestamptz")) {
            try infinite[0].decode(Moment.self)
        }
        await connection.close()
    }

    @Test func `an unknown raw value is out of range`() async throws {
        let connection = try await TestServer.connect()
        let rows = try await connection.query("SELECT 'green' AS colour")
        #expect(throws: PostgresError(.decoding(.outOfRange), column: "colour")) { try rows[0].decode(Colour.self) }
        await connection.close()
    }

    @Test func `narrow columns widen, wide ones do not narrow`() async throws {
        let connection = try await TestServer.connect()
        let rows = try await connection.query("SELECT 7::int2 AS a, 8::int4 AS b, 1.5::float4 AS c")
        let row = try rows[0].decode(Int.self, Int64.self, Double.self)
        #expect(row == (7, 8, 1.5))
        let wide = try await connection.query("SELECT 1::int8 AS wide")
        #expect(throws: PostgresError(.decoding(.type(.int8)), column: "wide")) { try wide[0].decode(Int32.self) }
        await connection.close()
    }

    @Test func `what does not fit is an error that names the column`() async throws {
        let connection = try await TestServer.connect()
        let rows = try await connection.query("SELECT 1::int8 AS id, NULL::text AS title")
        #expect(throws: PostgresError(.decoding(.null), column: "title")) {
            try rows[0].decode(Int64.self, String.self)
        }
        #expect(throws: PostgresError(.decoding(.type(.int8)), column: "id")) {
            try rows[0].decode(String.self, String?.self)
        }
        let count = #expect(throws: PostgresError.self) { try rows[0].decode(Int64.self) }
        #expect(count?.code == .decoding(.malformed))
        let nested = try await connection.query(
            "SELECT ARRAY[[1,2],[3,4]]::int8[] AS square, ARRAY[1,NULL]::int8[] AS hole")
        #expect(throws: PostgresError(.decoding(.malformed), column: "square")) {
            try nested[0].decode([Int64].self, column: 0)
        }
        #expect(throws: PostgresError(.decoding(.null), column: "hole")) {
            try nested[0].decode([Int64].self, column: 1)
        }
        await connection.close()
    }

    @Test func `five megabytes there and back`() async throws {
        let connection = try await TestServer.connect()
        let text = String(repeating: "0123456789abcdef", count: 5 << 16)
        let bytes = (0..<5 << 20).map { UInt8(truncatingIfNeeded: $0) }
        let (length, backText, backBytes) = try await connection.query("SELECT length(\(text)), \(text), \(bytes)")[0]
            .decode(Int.self, String.self, [UInt8].self)
        #expect(length == 5 << 20)
        #expect(backText == text)
        #expect(backBytes == bytes)
        await connection.close()
    }

    @Test func `U+0000 in a text is refused before anything is sent`() async throws {
        let connection = try await TestServer.connect()
        for value in ["\0", "a\0b"] {
            let error = await #expect(throws: PostgresError.self) { _ = try await connection.query("SELECT \(value)") }
            #expect(error?.code == .invalidStatement)
        }
        let inArray = await #expect(throws: PostgresError.self) {
            _ = try await connection.query("SELECT \(["ok", "\0"])")
        }
        #expect(inArray?.code == .invalidStatement)
        #expect(try await connection.query("SELECT 1")[0].decode(Int.self) == 1)
        await connection.close()
    }

    @Test(arguments: [
        (Int64(0), Int64(-946_684_800_000_000)), (946_684_800_000, 0), (-1, -946_684_800_001_000),
        (.max, .max), (.min, .min),
    ])
    func `timestamps count from 2000`(milliseconds: Int64, microseconds: Int64) {
        let timestamp = PostgresTimestamp(millisecondsSince1970: milliseconds)
        #expect(timestamp.microsecondsSince2000 == microseconds)
        if microseconds != .max && microseconds != .min { #expect(timestamp.millisecondsSince1970 == milliseconds) }
    }
}
