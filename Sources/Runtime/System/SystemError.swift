// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A system call that failed: which one, and the kernel's reason.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The positive `errno` value.
    package let number: Int32
    /// The call's name, for the log.
    package let call: StaticString

    /// For answers that do not come through a shim, such as pthread's.
    package init(number: Int32, call: StaticString) {
        self.number = number
        self.call = call
    }

    /// The call has nothing to give now (EAGAIN): wait for readiness and repeat.
    package var wouldBlock: Bool { number == EAGAIN }

    /// No descriptors are left in the process or the system (EMFILE, ENFILE).
    package var isOutOfDescriptors: Bool { number == EMFILE || number == ENFILE }

    /// The kernel's own words; holds no user data.
    package var description: String {
        let words = unsafe String(cString: strerror(number))
        return "\(call): \(words)"
    }

    /// Equal when the number and the call's name are.
    package static func == (left: SystemError, right: SystemError) -> Bool {
        left.number == right.number && left.call.description == right.call.description
    }

    /// Turns the «value or -errno» answer of the C shims into a value or a thrown error.
    static func check<Value: SignedInteger>(_ answer: Value, _ call: StaticString) throws(SystemError) -> Value {
        if answer < 0 { throw SystemError(number: Int32(-answer), call: call) }
        return answer
    }
}
