// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The process as `/proc` sees it, read when scraped, under the names other Prometheus clients use. What cannot
/// be read (no `/proc` in a jail) is left out rather than reported as 0.
struct ProcessMetrics: Sendable {
    static let descriptions = [cpu, descriptors, resident, start]

    private static let cpu = MetricDescription(
        name: "process_cpu_seconds_total", kind: .counter, help: "User and system time spent.", labels: [])
    private static let descriptors = MetricDescription(
        name: "process_open_fds", kind: .gauge, help: "Open file descriptors.", labels: [])
    private static let resident = MetricDescription(
        name: "process_resident_memory_bytes", kind: .gauge, help: "Memory in RAM.", labels: [])
    private static let start = MetricDescription(
        name: "process_start_time_seconds", kind: .gauge, help: "Start of the process since 1970.", labels: [])

    func append(to text: inout MetricText) {
        let status = ProcessStatus.read()
        append(Self.cpu, status?.cpuSeconds, to: &text)
        append(Self.descriptors, Self.openDescriptors().map(Double.init), to: &text)
        append(Self.resident, (status?.residentBytes).map(Double.init), to: &text)
        append(Self.start, status?.startSeconds, to: &text)
    }

    private func append(_ metric: MetricDescription, _ value: Double?, to text: inout MetricText) {
        guard let value else { return }
        text.appendHeader(metric)
        text.appendSample(metric.name, LabelSet(pairs: []), MetricText.number(value))
    }

    /// Entries of `/proc/self/fd` without `.`, `..` and the descriptor that lists them.
    private static func openDescriptors() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        return count - 3
    }
}

/// Fields of `/proc/self/stat`, see proc(5).
struct ProcessStatus {
    let cpuSeconds: Double
    let startSeconds: Double
    let residentBytes: Int

    static func read() -> ProcessStatus? {
        let system = contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        guard let stat = contents("/proc/self/stat"),
            let boot = system?.split(separator: " ").last.flatMap({ Double($0) })
        else { return nil }
        return ProcessStatus(
            stat: stat, bootSeconds: boot, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageBytes: sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The second field is the program's name in parentheses and may hold anything, so fields are counted from
    /// the last parenthesis on; the first after it is the third of the manual.
    init?(stat: String, bootSeconds: Double, ticksPerSecond: Double, pageBytes: Int) {
        guard let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: name)...].split { $0 == " " || $0 == "\n" }
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let start = Double(fields[19]), let pages = Int(fields[21])
        else { return nil }
        cpuSeconds = (user + system) / ticksPerSecond
        startSeconds = bootSeconds + start / ticksPerSecond
        residentBytes = pages * pageBytes
    }

    /// A file of `/proc`, at most 1 MiB of it. `nil` when it cannot be read.
    private static func contents(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { return nil }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
