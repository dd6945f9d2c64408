// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A joinable thread of the system, for what must not share the cooperative pool: loops and blocking calls.
@safe package struct SystemThread: Sendable {
    private let handle: pthread_t

    /// Starts the thread at once.
    ///
    /// - Parameters:
    ///   - name: shown by `ps -L` and profilers; cut to 15 bytes.
    ///   - body: all that the thread does; its return ends it.
    /// - Throws: when the system has no thread left.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Start(name: name, body: body)
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                unsafe clinux_thread_name(start.name)
                start.body()
                return nil
            }, context)
        guard code == 0 else {
            unsafe Unmanaged<Start>.fromOpaque(context).release()
            throw SystemError(number: code, call: "pthread_create")
        }
        self.handle = handle
    }

    /// Waits for the thread to return; call it once, never from the thread itself.
    package func join() {
        _ = pthread_join(handle, nil)
    }

    /// Blocks the calling thread, which must be one of ours: never a loop or the cooperative pool.
    package static func sleep(for duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var remaining = timespec()
        while unsafe nanosleep(&time, &remaining) != 0 && errno == EINTR { time = remaining }
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
