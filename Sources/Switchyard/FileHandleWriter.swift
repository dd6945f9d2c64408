// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Whole texts to a standard descriptor.
enum FileHandleWriter {
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A closed standard descriptor leaves nobody to tell.
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
