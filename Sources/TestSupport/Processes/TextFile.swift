// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import Runtime

/// Small files of the kernel.
enum TextFile {
    /// To its very end: the kernel gives what it makes up as it is read a page at a time, and calls its size 0.
    static func read(_ path: String) throws -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(number: errno, call: "open") }
        defer { Socket.close(descriptor) }
        var (text, chunk): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 65536))
        while case let count = try Socket.read(descriptor, into: &chunk), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Where a symbolic link points to.
    static func link(_ path: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: path)
    }
}
