// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct SQLTests {
    @Test func `values become numbered places`() {
        let sql: SQL = "SELECT * FROM t WHERE a = \(1) AND b = \("x") AND c = \(Int32?.none)"
        #expect(sql.text == "SELECT * FROM t WHERE a = $1 AND b = $2 AND c = $3")
        #expect(sql.binds.map(\.type) == [.int8, .text, .int4])
        #expect(sql.binds.map(\.isNull) == [false, false, true])
        #expect(sql.writer.bytes == [0, 0, 0, 0, 0, 0, 0, 1, UInt8(ascii: "x")])
    }

    @Test func `fragments are renumbered and bring their values`() {
        var condition: SQL = "true"
        for number in 1...12 { condition = "\(fragment: condition) AND a\(fragment: "") <> \(number)" }
        let sql: SQL = "SELECT \("first") WHERE \(fragment: condition) LIMIT \(5)"
        #expect(sql.text.hasPrefix("SELECT $1 WHERE true AND a <> $2 AND a <> $3"))
        #expect(sql.text.hasSuffix("AND a <> $13 LIMIT $14"))
        #expect(sql.binds.count == 14)
        #expect(sql.writer.bytes[sql.binds[12].range] == [0, 0, 0, 0, 0, 0, 0, 12])
    }

    @Test func `parts are joined`() {
        let parts: [SQL] = ["a = \(1)", "b = \(2)"]
        let sql: SQL = "UPDATE t SET \(fragment: .joined(parts, separator: ", ")) WHERE id = \(3)"
        #expect(sql.text == "UPDATE t SET a = $1, b = $2 WHERE id = $3")
    }

    @Test func `a full cache lets the least recently used go`() {
        var cache = StatementCache(capacity: 2)
        #expect(cache.use("SELECT 1") == .init(name: "s1", isNew: true, evicted: nil))
        #expect(cache.use("SELECT 2") == .init(name: "s2", isNew: true, evicted: nil))
        #expect(cache.use("SELECT 1") == .init(name: "s1", isNew: false, evicted: nil))
        #expect(cache.use("SELECT 3") == .init(name: "s3", isNew: true, evicted: "s2"))
        #expect(cache.use("SELECT 1").isNew == false)
        cache.forget("SELECT 1")
        #expect(cache.use("SELECT 1") == .init(name: "s4", isNew: true, evicted: nil))
        #expect(cache.count == 2)
    }

    @Test func `a text whose values changed their types is prepared anew`() {
        var cache = StatementCache(capacity: 2)
        #expect(cache.use("SELECT \(1)").isNew)
        #expect(cache.use("SELECT \("1")") == .init(name: "s2", isNew: true, evicted: "s1"))
        #expect(cache.count == 1)
    }
}
