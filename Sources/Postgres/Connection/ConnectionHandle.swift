// SPDX-License-Identifier: Apache-2.0
import CPostgres
import Observability

/// Owns a `PGconn`: the typed calls, and nothing of the protocol's order. Used by one thread at a time.
@safe struct ConnectionHandle: ~Copyable {
    enum Progress {
        case wantsRead
        case wantsWrite
        case ready
        case failed
    }

    enum SendResult {
        case sent
        case broken
    }

    private let connection: OpaquePointer
    private let notices: NoticeLog

    /// Begins to connect; never waits when every host is given as an address.
    ///
    /// - Returns: nil when there is no memory.
    init?(starting parameters: [(String, String)], logger: Logger) {
        let keywords = CStringArray(parameters.map(\.0))
        let values = CStringArray(parameters.map(\.1))
        let started = unsafe keywords.withPointers { keywords in
            unsafe values.withPointers { values in unsafe PQconnectStartParams(keywords, values, 0) }
        }
        guard let connection = unsafe started else { return nil }
        unsafe self.connection = connection
        notices = NoticeLog(logger)
        // In full, so that the text of a failed connection holds the SQLSTATE.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        unsafe PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context = unsafe context, let state = unsafe PQresultErrorField(result, 67) else { return }
                let notices = unsafe Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue()
                notices.logger.debug("database notice", [.databaseSQLState: .string(unsafe String(cString: state))])
            }, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { unsafe PQfinish(connection) }

    var descriptor: Int32 { unsafe PQsocket(connection) }
    var isBroken: Bool { unsafe PQstatus(connection) == CONNECTION_BAD }
    var processID: Int32 { unsafe PQbackendPID(connection) }
    /// nil while something is on the wire.
    var isInTransaction: Bool? {
        switch unsafe PQtransactionStatus(connection) {
        case PQTRANS_IDLE: false
        case PQTRANS_ACTIVE: nil
        default: true
        }
    }
    var serverVersion: Int { Int(unsafe PQserverVersion(connection)) }
    /// May quote what was sent.
    var errorMessage: String { unsafe PQerrorMessage(connection).map { unsafe String(cString: $0) } ?? "" }

    func pollConnect() -> Progress {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .wantsRead
        case PGRES_POLLING_WRITING: .wantsWrite
        case PGRES_POLLING_OK: .ready
        default: .failed
        }
    }

    func setNonBlocking() -> SendResult { answer(unsafe PQsetnonblocking(connection, 1) == 0) }
    func enterPipeline() -> SendResult { answer(unsafe PQenterPipelineMode(connection) == 1) }
    func leavePipeline() -> SendResult { answer(unsafe PQexitPipelineMode(connection) == 1) }
    func synchronize() -> SendResult { answer(unsafe PQpipelineSync(connection) == 1) }

    /// False when the connection is broken.
    func consumeInput() -> Bool { unsafe PQconsumeInput(connection) == 1 }

    /// Whether ``nextResult()`` would wait.
    var isBusy: Bool { unsafe PQisBusy(connection) != 0 }

    /// nil after the last result of a command.
    func nextResult() -> ResultHandle? {
        guard let result = unsafe PQgetResult(connection) else { return nil }
        return unsafe ResultHandle(result)
    }

    /// Whether all is written; nil when the connection is broken.
    func flush() -> Bool? {
        switch unsafe PQflush(connection) {
        case 0: true
        case 1: false
        default: nil
        }
    }

    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = unsafe PQnotifies(connection) else { return nil }
        defer { unsafe PQfreemem(notification) }
        return unsafe (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }

    func makeCancel() -> CancelHandle? {
        guard let cancel = unsafe PQgetCancel(connection) else { return nil }
        return unsafe CancelHandle(cancel)
    }

    // MARK: Sending

    func sendPrepare(_ name: String, _ sql: SQL) -> SendResult {
        let types = sql.binds.map(\.type.oid)
        return answer(unsafe PQsendPrepare(connection, name, sql.text, Int32(types.count), types) == 1)
    }

    func sendPrepared(_ name: String, _ sql: SQL) -> SendResult {
        let binds = sql.binds
        if binds.isEmpty {
            return answer(unsafe PQsendQueryPrepared(connection, name, 0, nil, nil, nil, 1) == 1)
        }
        return answer(
            unsafe withParameters(sql) { values, lengths, formats in
                unsafe PQsendQueryPrepared(connection, name, Int32(binds.count), values, lengths, formats, 1)
            } == 1)
    }

    /// Without a name, for statements that are sent once.
    func sendOnce(_ sql: SQL) -> SendResult {
        let types = sql.binds.map(\.type.oid)
        return answer(
            unsafe withParameters(sql) { values, lengths, formats in
                unsafe PQsendQueryParams(
                    connection, sql.text, Int32(types.count), types, values, lengths, formats, 1)
            } == 1)
    }

    /// The name is one of ours: letters and digits.
    func sendDeallocate(_ name: String) -> SendResult {
        answer(unsafe PQsendQueryParams(connection, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1) == 1)
    }

    /// Several statements in one text, by the simple protocol; not in pipeline mode.
    func sendScript(_ script: String) -> SendResult { answer(unsafe PQsendQuery(connection, script) == 1) }

    private func answer(_ sent: Bool) -> SendResult { sent ? .sent : .broken }

    private func withParameters(
        _ sql: SQL,
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Int32
    ) -> Int32 {
        let binds = sql.binds
        // An empty value needs an address as well: nil would be NULL.
        let empty: [UInt8] = [0]
        return unsafe (sql.writer.bytes.isEmpty ? empty : sql.writer.bytes).withUnsafeBytes { bytes in
            unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: binds.count) { values in
                unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * binds.count) { numbers in
                    let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                    for (index, bind) in binds.enumerated() {
                        let value = bind.isNull ? nil : unsafe base.map { unsafe $0 + bind.range.lowerBound }
                        unsafe values.initializeElement(at: index, to: value)
                        unsafe numbers.initializeElement(at: index, to: Int32(bind.range.count))
                        unsafe numbers.initializeElement(at: binds.count + index, to: 1)
                    }
                    guard let lengths = numbers.baseAddress else { return body(nil, nil, nil) }
                    return unsafe body(values.baseAddress, lengths, lengths + binds.count)
                }
            }
        }
    }

    private final class NoticeLog: Sendable {
        let logger: Logger
        init(_ logger: Logger) { self.logger = logger }
    }
}

/// A copy of what PQcancel needs, usable while the connection is in use.
///
/// `@unchecked Sendable`: libpq documents `PGcancel` as safe to use from another thread; it is not changed.
@safe final class CancelHandle: @unchecked Sendable {
    private let cancel: OpaquePointer

    init(_ cancel: OpaquePointer) { unsafe self.cancel = cancel }

    deinit { unsafe PQfreeCancel(cancel) }

    /// Connects, asks, waits until the server has passed it on: for the blocking pool. Nothing is known afterwards,
    /// even when it fails.
    func send() {
        var message = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(cancel, &message, Int32(message.count))
    }
}

/// Texts with a closing NUL and the closing nil that libpq expects of an array of them.
private struct CStringArray {
    private var bytes: [CChar] = []
    private var offsets: [Int] = []

    init(_ strings: [String]) {
        for string in strings {
            offsets.append(bytes.count)
            bytes.append(contentsOf: string.utf8CString)
        }
    }

    func withPointers<Value>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Value) -> Value {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            let base = buffer.baseAddress
            let pointers = unsafe offsets.map { offset in unsafe base.map { unsafe $0 + offset } } + [nil]
            return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
        }
    }
}
