// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// What the figures were measured on, as the kernel describes it.
struct Machine: Sendable {
    let processor: String
    let coreCount: Int
    let memoryBytes: Int

    init() {
        let processors = Self.lines(of: "/proc/cpuinfo")
        processor = processors.first { $0.hasPrefix("model name") }.map(Self.value) ?? "unknown"
        coreCount = processors.count { $0.hasPrefix("processor") }
        let total = Self.lines(of: "/proc/meminfo").first { $0.hasPrefix("MemTotal") }.map(Self.value) ?? ""
        memoryBytes = (total.split(separator: " ").first.flatMap { Int($0) } ?? 0) * 1024
    }

    private static func lines(of path: String) -> [Substring] {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self).split(separator: "\n")
    }

    private static func value(_ line: Substring) -> String {
        let value = line.split(separator: ":", maxSplits: 1).last ?? ""
        return String(value.drop { $0 == " " || $0 == "\t" })
    }
}
