// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime
import Synchronization

/// A TCP server on 127.0.0.1 that does with each connection what a script says, below any protocol.
///
/// Each connection has a thread, so a script may block. A script that throws ends its connection.
package final class RawServer: Sendable {
    private struct State {
        var accepted = 0
        var connections: [RawConnection] = []
        var threads: [SystemThread] = []
        var isStopping = false
    }

    /// Where it listens.
    package let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>
    private let script: @Sendable (RawConnection) throws -> Void

    /// Listens at once.
    package init(_ script: @escaping @Sendable (RawConnection) throws -> Void) throws {
        listener = try Socket.listen(host: "127.0.0.1", port: 0, sharingPort: false)
        port = try Socket.localAddress(of: listener).port
        state = Mutex(State())
        self.script = script
        let thread = try SystemThread(name: "raw-accept") { [self] in acceptAll() }
        state.withLock { $0.threads.append(thread) }
    }

    /// How many connections there have been.
    package var acceptedCount: Int { state.withLock { $0.accepted } }

    /// The address of a path here.
    package func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// Ends every connection and waits for the threads.
    package func stop() {
        let connections = state.withLock { state in
            state.isStopping = true
            return state.connections
        }
        shutDownListener()
        for connection in connections { connection.interrupt() }
        while let thread = state.withLock({ $0.threads.popLast() }) { thread.join() }
        Socket.close(listener)
    }

    private func shutDownListener() {
        do throws(SystemError) { try Socket.shutDown(listener, .both) } catch {
            preconditionFailure("a listener can be shut down: \(error)")
        }
    }

    private func acceptAll() {
        while !state.withLock({ $0.isStopping }) {
            _ = RawConnection.wait(listener, Int16(POLLIN), for: nil)
            let descriptor: Int32
            do throws(SystemError) { descriptor = try Socket.accept(listener) } catch {
                if error.wouldBlock { continue }
                return
            }
            serve(RawConnection(descriptor))
        }
    }

    private func serve(_ connection: RawConnection) {
        let isStopping = state.withLock { state in
            state.accepted += 1
            state.connections.append(connection)
            return state.isStopping
        }
        if isStopping { connection.interrupt() }
        let script = script
        do {
            let thread = try SystemThread(name: "raw-serve") {
                // What a script throws is its end: the peer left, or the server is being stopped.
                do { try script(connection) } catch { connection.close() }
                connection.close()
            }
            state.withLock { $0.threads.append(thread) }
        } catch {
            connection.close()
        }
    }
}
