// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc

/// CPU seconds of processes, user and system, as the kernel counts them (in hundredths).
struct ProcessTimes: Sendable {
    /// By the name the caller gave.
    private(set) var seconds: [String: Double] = [:]

    /// - Parameters:
    ///   - processes: their numbers by name.
    ///   - postmaster: counted as `postgres` with all its children, those that have ended included.
    /// - Throws: when `/proc` cannot be read.
    init(_ processes: [String: pid_t], postmaster: pid_t?) throws {
        for (name, pid) in processes { seconds[name] = try Self.fields(of: pid).map(Self.own) ?? 0 }
        guard let postmaster, let server = try Self.fields(of: postmaster) else { return }
        var total = Self.own(server) + Self.ticks(server, 13) + Self.ticks(server, 14)
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = pid_t(entry), let fields = try Self.fields(of: pid), pid_t(fields[1]) == postmaster else {
                continue
            }
            total += Self.own(fields)
        }
        seconds["postgres"] = total
    }

    /// What was spent since an earlier reading, by name.
    func since(_ earlier: ProcessTimes) -> [(name: String, seconds: Double)] {
        seconds.map { ($0.key, $0.value - (earlier.seconds[$0.key] ?? 0)) }.sorted { $0.0 < $1.0 }
    }

    /// The fields of /proc/<pid>/stat after the name, which may hold anything; nil when the process has ended.
    private static func fields(of pid: pid_t) throws -> [Substring]? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 15 ? fields : nil
    }

    private static func own(_ fields: [Substring]) -> Double { ticks(fields, 11) + ticks(fields, 12) }

    private static func ticks(_ fields: [Substring], _ index: Int) -> Double {
        Double(fields[index]).map { $0 / Double(sysconf(Int32(_SC_CLK_TCK))) } ?? 0
    }
}
