// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Unpredictable bytes from the kernel, through libsodium.
package enum RandomBytes {
    /// That many bytes. Does not block once the machine has started. Any thread.
    package static func generate(count: Int) -> [UInt8] {
        Sodium.start()
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe randombytes_buf(&bytes, count)
        return bytes
    }
}
