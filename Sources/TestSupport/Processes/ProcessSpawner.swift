// SPDX-License-Identifier: Apache-2.0
import Dispatch
import FoundationEssentials
import Glibc
import Runtime
import Synchronization

/// The one thread that starts processes. It never ends: the kernel kills children that asked for it when the thread
/// that started them ends, not when the process does.
final class ProcessSpawner: Sendable {
    static let shared = ProcessSpawner()

    private let orders = Orders()
    private let wake = DispatchSemaphore(value: 0)
    private let thread: Result<SystemThread, any Error>

    private init() {
        let (orders, wake) = (orders, wake)
        thread = Result {
            try SystemThread(name: "spawner") {
                while true {
                    wake.wait()
                    orders.next()?()
                }
            }
        }
    }

    private final class Orders: Sendable {
        private let waiting = Mutex<[@Sendable () -> Void]>([])
        func add(_ order: @escaping @Sendable () -> Void) { waiting.withLock { $0.append(order) } }
        func next() -> (@Sendable () -> Void)? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    /// - Returns: the process and the reading end of what it writes.
    func spawn(_ command: [String], environment: [String]) async throws -> (pid_t, Int32) {
        _ = try thread.get()
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Started, any Error>, Never>) in
            orders.add {
                continuation.resume(returning: Result { try Self.spawnHere(command, environment) })
            }
            wake.signal()
        }
        let started = try result.get()
        return (started.pid, started.output)
    }

    private struct Started: Sendable {
        let pid: pid_t
        let output: Int32
    }

    private static func spawnHere(_ command: [String], _ environment: [String]) throws -> Started {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw SystemError(number: errno, call: "pipe") }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        defer { Socket.close(ends[1]) }
        do {
            return Started(pid: try start(command, environment, output: ends[1]), output: ends[0])
        } catch {
            Socket.close(ends[0])
            throw error
        }
    }

    private static func start(_ command: [String], _ environment: [String], output: Int32) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        for descriptor in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap({ Int32($0) })
        where descriptor > 2 {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawn(&pid, command[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw SystemError(number: code, call: "posix_spawn") }
        return pid
    }
}
