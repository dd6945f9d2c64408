// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Limits of the process.
package enum ProcessLimits {
    /// Raises the soft limit of open descriptors to the hard one.
    ///
    /// - Returns: the limit in force.
    package static func raiseOpenDescriptors() throws(SystemError) -> Int {
        Int(try SystemError.check(clinux_raise_descriptor_limit(), "setrlimit(RLIMIT_NOFILE)"))
    }
}
