// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// Small files of the kernel.
enum TextFile {
    static func read(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    /// Where a symbolic link points to.
    static func link(_ path: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: path)
    }
}
