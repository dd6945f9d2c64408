// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import JSON
import TestSupport

/// How many instructions and allocations the hot paths take: a count that a busy machine does not change. Each path
/// runs under callgrind with two numbers of repetitions; the difference is what the repetitions took, without start.
struct InstructionsScenario: Scenario {
    let name = "instructions"
    let summary = "instructions and allocations of the hot paths under callgrind, and their change"

    private static let callgrind = "/usr/bin/valgrind"
    /// What is worth a look: the figures repeat to less than a thousandth.
    private static let tolerancePercent = 1.0

    private struct Count: Sendable {
        var instructions = 0.0
        var allocations = 0.0
    }

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let repetitions = options.count(quick: 200, normal: 1000, full: 5000)
        let previous = try Self.previous()
        let program = try await Self.strippedProgram()
        let result: Result<[Figure], any Error>
        do {
            result = .success(try await measure(program, repetitions, previous))
        } catch { result = .failure(error) }
        try FileManager.default.removeItem(atPath: program)
        return try result.get()
    }

    private func measure(
        _ program: String, _ repetitions: Int, _ previous: [String: Double]
    ) async throws -> [Figure] {
        var figures: [Figure] = []
        for path in HotPath.allCases {
            let few = try await Self.measure(path, repetitions, program)
            let many = try await Self.measure(path, repetitions * 2, program)
            let instructions = (many.instructions - few.instructions) / Double(repetitions)
            figures.append(Figure("\(path.rawValue)", instructions, "instructions"))
            figures.append(
                Figure(
                    "\(path.rawValue), allocations", (many.allocations - few.allocations) / Double(repetitions), ""))
            if let before = previous[path.rawValue], before > 0 {
                figures.append(
                    Figure(
                        "\(path.rawValue), change", (instructions / before - 1) * 100, "%",
                        .atMost(Self.tolerancePercent)))
            }
        }
        return figures
    }

    /// The figures of the last result that was committed, by name.
    private static func previous() throws -> [String: Double] {
        guard let path = ProcessInfo.processInfo.environment["SWITCHYARD_BENCH_PREVIOUS_INSTRUCTIONS"] else {
            return [:]
        }
        let result = try JSONParser.parse(Array(try Data(contentsOf: URL(filePath: path))))
        var figures: [String: Double] = [:]
        for figure in result["figures"]?.arrayValue ?? [] {
            guard let name = figure["name"]?.stringValue else { continue }
            figures[name] = figure["value"]?.doubleValue
        }
        return figures
    }

    /// A copy of this program without debug information, which callgrind does not understand and gives up on.
    private static func strippedProgram() async throws -> String {
        let copy = "/tmp/switchyard-bench-\(ProcessInfo.processInfo.processIdentifier)"
        let process = try await ChildProcess.start(
            "/usr/bin/strip", ["--strip-debug", "-o", copy, try BenchmarkDeployment.sibling("switchyard-bench")],
            environment: ["PATH": "/usr/bin:/bin"])
        let status = await process.exitStatus()
        guard status == .exited(0) else { throw BenchmarkFailure(process.lines.elements) }
        return copy
    }

    private static func measure(_ path: HotPath, _ repetitions: Int, _ program: String) async throws -> Count {
        let file = "/tmp/switchyard-callgrind-\(ProcessInfo.processInfo.processIdentifier)"
        let process = try await ChildProcess.start(
            callgrind,
            [
                "--tool=callgrind", "--callgrind-out-file=\(file)", "--dump-instr=no", "--compress-strings=no",
                program, HotPath.command, path.rawValue, "\(repetitions)",
            ],
            // A hash table's order must not differ from run to run.
            environment: ["PATH": "/usr/bin:/bin", "SWIFT_DETERMINISTIC_HASHING": "1"])
        let status = await process.exitStatus()
        guard status == .exited(0) else { throw BenchmarkFailure(process.lines.elements.suffix(20)) }
        let text = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        try FileManager.default.removeItem(atPath: file)
        return count(text)
    }

    /// Reads the profile: its total, and the calls of malloc and its like, which stand after the function they call.
    private static func count(_ profile: String) -> Count {
        let allocators: Set<Substring> = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"]
        var count = Count()
        var callee: Substring = ""
        for line in profile.split(separator: "\n") {
            if line.hasPrefix("cfn=") {
                callee = line.dropFirst(4)
                if let version = callee.firstIndex(of: "@") { callee = callee[..<version] }
            } else if line.hasPrefix("calls="), allocators.contains(callee) {
                count.allocations += line.dropFirst(6).split(separator: " ").first.flatMap { Double($0) } ?? 0
            } else if line.hasPrefix("totals:") || line.hasPrefix("summary:") {
                count.instructions = line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
            }
        }
        return count
    }
}
