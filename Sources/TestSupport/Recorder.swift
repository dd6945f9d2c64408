// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A locked value that the threads and tasks of a test may share.
package final class Recorder<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    /// Begins with this value.
    package init(_ value: Value) { self.value = Mutex(value) }

    /// Reads or changes the value; short bodies only.
    package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result { value.withLock { body(&$0) } }
}
