// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc

/// What a process holds at a moment, as the kernel counts it.
struct ProcessState: Sendable {
    /// Everything in memory, the program's file included.
    let residentBytes: Double
    /// Of that, what the process made itself.
    let anonymousBytes: Double
    let descriptorCount: Double
    let threadCount: Double

    /// `nil` when the process has ended.
    init?(_ pid: pid_t) {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return nil }
        var values: [Substring: Double] = [:]
        for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let word = parts[1].split(whereSeparator: \.isWhitespace).first else { continue }
            values[parts[0]] = Double(word)
        }
        guard let resident = values["VmRSS"], let anonymous = values["RssAnon"] else { return nil }
        residentBytes = resident * 1024
        anonymousBytes = anonymous * 1024
        threadCount = values["Threads"] ?? 0
        // A process that ends right now has no descriptors any more.
        do {
            descriptorCount = Double(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count)
        } catch { return nil }
    }
}
