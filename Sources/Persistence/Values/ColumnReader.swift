// SPDX-License-Identifier: Apache-2.0
import Postgres

/// Reads the columns of a row from the left into the fields of a value, so that a statement's column list and the
/// value's initializer can be compared by eye.
struct ColumnReader {
    private let row: PostgresRow
    private var column = 0

    init(_ row: PostgresRow) { self.row = row }

    mutating func next<Value: PostgresDecodable>() throws(PersistenceError) -> Value {
        defer { column += 1 }
        do throws(PostgresError) {
            return try row.decode(Value.self, column: column)
        } catch {
            throw PersistenceError(error)
        }
    }

    /// A column of words that an enumeration knows.
    mutating func nextWord<Word: RawRepresentable<String>>(
        _ type: Word.Type = Word.self
    ) throws(PersistenceError) -> Word {
        let text: String = try next()
        guard let word = Word(rawValue: text) else {
            throw PersistenceError(.internal, detail: "a stored word of \(Word.self) is unknown")
        }
        return word
    }
}
