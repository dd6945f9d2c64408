// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Lets a plain thread sleep until another one has something for it: a socket pair, because descriptors need
/// no unsafe storage, keep signals that come before the wait, can be waited for with a limit, and are born
/// with close-on-exec set.
final class WakeUp: Sendable {
    private let receiver: Int32
    private let sender: Int32

    init() {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        if unsafe socketpair(AF_UNIX, kind, 0, &pair) != 0 { pair = [-1, -1] }
        (receiver, sender) = (pair[0], pair[1])
    }

    deinit {
        guard isUsable else { return }
        close(receiver)
        close(sender)
    }

    /// False when the process is out of descriptors.
    var isUsable: Bool { receiver >= 0 }

    /// Never blocks: a full socket means that enough signals are waiting.
    func signal() {
        guard isUsable else { return }
        var byte: UInt8 = 1
        while unsafe send(sender, &byte, 1, Int32(MSG_DONTWAIT)) < 0, errno == EINTR {}
    }

    /// Returns after at least one signal since the last wait.
    func wait() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while unsafe recv(receiver, &bytes, bytes.count, 0) < 0, errno == EINTR {}
    }

    /// `false` when no signal came in time. Does not consume the signal.
    func wait(timeout: Duration) -> Bool {
        let deadline = ContinuousClock.now + timeout
        while true {
            let left = max(.zero, deadline - ContinuousClock.now) / Duration.milliseconds(1)
            var entry = pollfd(fd: receiver, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&entry, 1, Int32(min(left.rounded(.up), 600_000)))
            if ready > 0 { return true }
            if ready == 0 || errno != EINTR { return false }
        }
    }
}
