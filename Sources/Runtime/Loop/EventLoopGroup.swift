// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The process's loops, handed out in turn: a connection stays on the loop it was given.
package final class EventLoopGroup: Sendable {
    /// All of them, for what has one part a loop: listeners, probes, metrics.
    package let loops: [EventLoop]
    private let position = Atomic<Int>(0)

    /// - Parameter count: one a core is the measured best; at least 1.
    /// - Throws: when the process has no descriptor or thread left.
    package init(count: Int) throws(SystemError) {
        var loops: [EventLoop] = []
        for index in 0..<max(1, count) {
            loops.append(try EventLoop(name: "loop-\(index)"))
        }
        self.loops = loops
    }

    /// The next loop, round robin.
    package func next() -> EventLoop {
        let (old, _) = position.wrappingAdd(1, ordering: .relaxed)
        return loops[Int(UInt(bitPattern: old) % UInt(loops.count))]
    }

    /// Ends every loop's thread; see ``EventLoop/shutDown()``.
    package func shutDown() {
        for loop in loops { loop.shutDown() }
    }
}
