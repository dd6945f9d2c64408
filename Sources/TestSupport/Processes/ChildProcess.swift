// SPDX-License-Identifier: Apache-2.0
import Dispatch
package import Glibc
import Runtime
import Synchronization

/// A program in a process of its own: its output as lines, its end, signals to it. It dies with this process, and is
/// always reaped.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum ExitStatus: Sendable, Equatable {
        /// By itself, with this code.
        case exited(Int32)
        /// By this signal.
        case signalled(Int32)
    }

    private struct State {
        var status: ExitStatus?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }

    /// The kernel's number for it; may be another's once it has ended.
    package let pid: pid_t
    /// Standard output and standard error, line by line.
    package let lines = Transcript<String>(capacity: 5000)
    private let state = Mutex(State())

    /// Starts a program with nothing of this process but its account: an environment of its own, no descriptors, no
    /// blocked signals, the root as its folder.
    package static func start(
        _ path: String, _ arguments: [String], environment: [String: String]
    ) async throws -> ChildProcess {
        // It must outlive the thread that starts it: the kernel takes the end of that for the end of the parent.
        // env and setpriv become the program, under the same number.
        let command = ["/usr/bin/env", "-C", "/", "/usr/bin/setpriv", "--pdeathsig", "KILL", "--", path] + arguments
        let (pid, output) = try await ProcessSpawner.shared.spawn(
            command, environment: environment.map { "\($0)=\($1)" })
        let process = ChildProcess(pid: pid)
        _ = try SystemThread(name: "child-\(pid)") { process.follow(output) }
        return process
    }

    private init(pid: pid_t) { self.pid = pid }

    /// Whether it has not ended yet.
    package var isRunning: Bool { state.withLock { $0.status == nil } }

    /// Sends a signal, unless it has ended.
    package func signal(_ number: Int32) {
        state.withLock { if $0.status == nil { _ = kill(pid, number) } }
    }

    /// Returns when it has ended, and its output was read.
    @discardableResult
    package func exitStatus() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    /// On a thread of its own: reads to the end of the output, then reaps.
    private func follow(_ output: Int32) {
        read(output)
        lines.finish()
        var information = unsafe siginfo_t()
        // Without reaping: until the lock is held, signals still go to the right process.
        while unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (status, waiters) = state.withLock { state in
            var raw: Int32 = 0
            while unsafe waitpid(pid, &raw, 0) < 0, errno == EINTR {}
            let status: ExitStatus = raw & 0x7F == 0 ? .exited(raw >> 8 & 0xFF) : .signalled(raw & 0x7F)
            state.status = status
            defer { state.waiters = [] }
            return (status, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }

    private func read(_ output: Int32) {
        defer { Socket.close(output) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        var unended: [UInt8] = []
        while true {
            let count: Int
            // A pipe that cannot be read has nothing more to say.
            do throws(SystemError) { count = try Socket.read(output, into: &buffer) } catch { return }
            if count == 0 { break }
            var rest = buffer[..<count]
            while let end = rest.firstIndex(of: 0x0A) {
                lines.append(String(decoding: unended + rest[..<end], as: UTF8.self))
                unended = []
                rest = rest[(end + 1)...]
            }
            unended += rest
        }
        if !unended.isEmpty { lines.append(String(decoding: unended, as: UTF8.self)) }
    }
}
