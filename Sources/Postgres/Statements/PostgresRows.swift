// SPDX-License-Identifier: Apache-2.0

/// A statement's result, read in place: nothing is copied until a cell is decoded. Keep decoded values, not rows:
/// a row holds the memory of the whole result.
package struct PostgresRows: Sendable, RandomAccessCollection {
    let result: ResultHandle

    /// Always 0.
    package var startIndex: Int { 0 }
    /// The number of rows.
    package var endIndex: Int { result.rowCount }

    /// One row.
    package subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "no such row")
        return PostgresRow(result: result, index: position)
    }

    /// Rows inserted, updated, deleted, or returned by a SELECT.
    package var affectedRows: Int { result.affectedRows }

    /// The names of the columns.
    package var columnNames: [String] { (0..<result.columnCount).map { result.name(ofColumn: $0) } }

    /// All rows, each by ``PostgresRow/decode(_:)``.
    package func decode<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws(PostgresError) -> [(repeat each Value)] {
        var rows: [(repeat each Value)] = []
        rows.reserveCapacity(count)
        for row in self { rows.append(try row.decode(repeat each types)) }
        return rows
    }

    /// The first row, or `nil` when there is none.
    package func decodeFirst<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws(PostgresError) -> (repeat each Value)? {
        isEmpty ? nil : try self[0].decode(repeat each types)
    }
}

/// One row of a result.
package struct PostgresRow: Sendable {
    let result: ResultHandle
    let index: Int

    /// All columns from the left, as in `let (id, title) = try row.decode(Int64.self, String?.self)`.
    ///
    /// - Throws: `decoding`, with the column's name: another number of columns, a type that does not fit, NULL where
    ///   no optional was asked for.
    package func decode<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws(PostgresError) -> (repeat each Value) {
        var wanted = 0
        for _ in repeat each types { wanted += 1 }
        guard wanted == result.columnCount else {
            throw PostgresError(
                .decoding(.malformed), detail: "\(wanted) columns were asked for, the result has \(result.columnCount)")
        }
        var column = -1
        func next() -> Int {
            column += 1
            return column
        }
        return (repeat try decode((each types), column: next()))
    }

    /// One column, counted from 0.
    package func decode<Value: PostgresDecodable>(
        _ type: Value.Type, column: Int
    ) throws(PostgresError) -> Value {
        guard column >= 0, column < result.columnCount else {
            throw PostgresError(
                .decoding(.malformed), detail: "column \(column) of \(result.columnCount) was asked for")
        }
        do throws(PostgresDecodingFailure) {
            let columnType = result.type(ofColumn: column)
            guard Value.accepts(columnType) else { throw .type(columnType) }
            if result.isNull(row: index, column: column) { return try Self.null() }
            return try result.decode(Value.self, row: index, column: column, as: columnType)
        } catch {
            throw PostgresError(.decoding(error), column: result.name(ofColumn: column))
        }
    }

    /// Apart from the common way, where the type of the optional would be looked up for each cell.
    @inline(never) private static func null<Value: PostgresDecodable>() throws(PostgresDecodingFailure) -> Value {
        guard let null = Value.postgresNull else { throw .null }
        return null
    }
}
