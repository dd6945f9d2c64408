// SPDX-License-Identifier: Apache-2.0
import CPostgres

/// Owns a `PGresult`.
///
/// `@unchecked Sendable`: libpq does not change a result once it is handed out, and everything used here only reads.
@safe final class ResultHandle: @unchecked Sendable {
    /// What the server said, as far as we tell it apart.
    enum Status {
        case rows
        case command
        case failed
        case skipped
        case synchronized
    }

    let rowCount: Int
    let columnCount: Int
    let status: Status
    private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        unsafe self.result = result
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: status = .rows
        case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: status = .command
        case PGRES_PIPELINE_SYNC: status = .synchronized
        case PGRES_PIPELINE_ABORTED: status = .skipped
        default: status = .failed
        }
        rowCount = Int(unsafe PQntuples(result))
        columnCount = Int(unsafe PQnfields(result))
    }

    deinit { unsafe PQclear(result) }

    func type(ofColumn column: Int) -> PostgresType {
        PostgresType(oid: unsafe PQftype(result, Int32(column)))
    }

    func name(ofColumn column: Int) -> String {
        unsafe PQfname(result, Int32(column)).map { unsafe String(cString: $0) } ?? ""
    }

    func isNull(row: Int, column: Int) -> Bool {
        unsafe PQgetisnull(result, Int32(row), Int32(column)) != 0
    }

    /// The caller has checked row and column against the counts.
    func decode<Value: PostgresDecodable>(
        _ type: Value.Type, row: Int, column: Int, as columnType: PostgresType
    ) throws(PostgresDecodingFailure) -> Value {
        let length = Int(unsafe PQgetlength(result, Int32(row), Int32(column)))
        guard let start = unsafe PQgetvalue(result, Int32(row), Int32(column)) else { throw .malformed }
        let buffer = unsafe UnsafeBufferPointer(
            start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: length)
        return try Value.decode(unsafe buffer.span, as: columnType)
    }

    /// Rows inserted, updated, deleted or returned.
    var affectedRows: Int {
        guard let text = unsafe PQcmdTuples(result) else { return 0 }
        return Int(unsafe String(cString: text)) ?? 0
    }

    /// `INSERT 0 1`, `ROLLBACK`.
    var commandTag: String {
        guard let text = unsafe PQcmdStatus(result) else { return "" }
        return unsafe String(cString: text)
    }

    /// The function of the server that raised the error; tells a stale plan from other refusals.
    var errorRoutine: String? { field(UInt8(ascii: "R")) }

    /// The server ends the connection with this error.
    var isFatal: Bool {
        let severity = field(UInt8(ascii: "V"))
        return severity == "FATAL" || severity == "PANIC"
    }

    var error: PostgresError {
        let state = field(UInt8(ascii: "C"))
        let message = unsafe PQresultErrorMessage(result).map { unsafe String(cString: $0) }
        guard let state else { return PostgresError(.connectionLost(mayHaveCommitted: true), detail: message) }
        var error = PostgresError(.sqlState(state), detail: message)
        error.constraint = field(UInt8(ascii: "n"))
        error.table = field(UInt8(ascii: "t"))
        error.column = field(UInt8(ascii: "c"))
        return error
    }

    private func field(_ code: UInt8) -> String? {
        unsafe PQresultErrorField(result, Int32(code)).map { unsafe String(cString: $0) }
    }
}
