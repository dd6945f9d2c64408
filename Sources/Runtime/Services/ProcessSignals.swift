// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The process's signals as calls on a loop, by signalfd.
///
/// Make it before any other thread starts: the signals are blocked in the calling thread and inherited by
/// the threads it starts, else one of those would die of them.
package struct ProcessSignals: Sendable {
    private let descriptor: Int32

    /// - Parameter numbers: the signals to take over, `SIGTERM` and `SIGINT` by default.
    /// - Throws: when the kernel refuses a signal number or has no descriptor left.
    package init(_ numbers: [Int32] = [SIGTERM, SIGINT]) throws(SystemError) {
        _ = try SystemError.check(clinux_ignore_sigpipe(), "signal(SIGPIPE)")
        descriptor = try SystemError.check(unsafe clinux_signalfd(numbers, Int32(numbers.count)), "signalfd")
    }

    /// Calls back on the loop for each signal that comes, for the life of the process.
    package func deliver(on loop: EventLoop, _ receive: @escaping @Sendable (Int32) -> Void) {
        let descriptor = descriptor
        loop.execute {
            do throws(SystemError) {
                _ = try loop.register(descriptor, .read) { _ in
                    while case let signal = clinux_signalfd_read(descriptor), signal > 0 { receive(signal) }
                }
            } catch {
                // The descriptor is ours and fresh: only an exhausted kernel refuses it. Without signals the
                // process could not be stopped in order, so it must not run.
                preconditionFailure("signals cannot be watched: \(error)")
            }
        }
    }
}
