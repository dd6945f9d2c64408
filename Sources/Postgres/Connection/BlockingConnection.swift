// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Observability

/// A connection whose calls block their thread: for threads of one's own, like the heartbeat's, which must go on when
/// every loop stands still. **Never on an event loop or the cooperative pool.**
///
/// Every call has a time limit; one that passes it, or loses the connection, leaves it closed. Closes when dropped.
package struct BlockingConnection: ~Copyable {
    private var handle: ConnectionHandle?

    /// Whether another call may succeed.
    package var isOpen: Bool { handle != nil }

    /// Connects; asks name servers on the calling thread. Throws `connectionFailed`, `invalidConfiguration`.
    package init(_ configuration: PostgresConfiguration, logger: Logger) throws(PostgresError) {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        handle = ConnectionHandle(starting: try configuration.resolved(), logger: logger)
        var events = Int16(POLLOUT)
        while true {
            guard handle?.isBroken == false, try waitReady(events, deadline) else {
                throw PostgresError.failedConnect(handle?.errorMessage ?? "")
            }
            switch handle?.pollConnect() {
            case .ready:
                guard handle?.setNonBlocking() == .sent else { throw PostgresError(.connectionFailed) }
                return
            case .wantsRead: events = Int16(POLLIN)
            case .wantsWrite: events = Int16(POLLOUT)
            case .failed, nil: throw PostgresError.failedConnect(handle?.errorMessage ?? "")
            }
        }
    }

    /// Runs one statement, not kept prepared. Throws `sqlState`, `invalidStatement`, or `connectionLost`, also when the
    /// time is over.
    package mutating func query(_ sql: SQL, timeout: Duration) throws(PostgresError) -> PostgresRows {
        try sql.checkSendable()
        guard handle != nil else { throw PostgresError(.connectionLost(mayHaveCommitted: false)) }
        let deadline = ContinuousClock.now + timeout
        guard handle?.sendOnce(sql) == .sent, try sendAll(deadline) else { throw lose() }
        var last: ResultHandle?
        while true {
            guard let next = try nextResult(deadline) else { break }
            if last?.status != .failed { last = next }
        }
        guard let last else { throw lose() }
        guard last.status == .failed else { return PostgresRows(result: last) }
        let error = last.error.during(sql.text)
        if handle?.isBroken ?? true { handle = nil }
        throw error
    }

    /// Runs one statement; returns the rows it affected.
    @discardableResult
    package mutating func execute(_ sql: SQL, timeout: Duration) throws(PostgresError) -> Int {
        try query(sql, timeout: timeout).affectedRows
    }

    /// Ends it now.
    package mutating func close() { handle = nil }

    private mutating func sendAll(_ deadline: ContinuousClock.Instant) throws(PostgresError) -> Bool {
        while true {
            guard let done = handle?.flush() else { return false }
            if done { return true }
            // The server may want to be read before it reads on.
            guard try waitReady(Int16(POLLIN | POLLOUT), deadline), handle?.consumeInput() ?? false else {
                return false
            }
        }
    }

    private mutating func nextResult(_ deadline: ContinuousClock.Instant) throws(PostgresError) -> ResultHandle? {
        while handle?.isBusy ?? false {
            guard try waitReady(Int16(POLLIN), deadline), handle?.consumeInput() ?? false else { throw lose() }
        }
        return handle?.nextResult()
    }

    private mutating func lose() -> PostgresError {
        let error = PostgresError(.connectionLost(mayHaveCommitted: true), detail: handle?.errorMessage)
        handle = nil
        return error
    }

    /// False when the deadline passed.
    private mutating func waitReady(_ events: Int16, _ deadline: ContinuousClock.Instant) throws(PostgresError) -> Bool
    {
        guard let descriptor = handle?.descriptor, descriptor >= 0 else { return false }
        while true {
            let left = (deadline - ContinuousClock.now).milliseconds
            guard left >= 0 else { return false }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = unsafe poll(&entry, 1, Int32(clamping: left + 1))
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { throw PostgresError(.connectionFailed, detail: "poll failed: \(errno)") }
        }
    }
}
