// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import TestSupport

/// How long the compiler takes, on a copy of the sources in a folder of its own: the checkout's own build stays.
struct BuildScenario: Scenario {
    let name = "build"
    let summary = "swift build: for release from nothing (not with --quick), for debugging after a change of one body"

    /// A file in the middle of the module graph; nothing but its own module has to be compiled again.
    private static let changedFile = "Sources/HTTP/ServerSentEvent.swift"

    func run(_ options: BenchmarkOptions) async throws -> [Figure] {
        let environment = ProcessInfo.processInfo.environment
        guard let repository = environment["SWITCHYARD_BENCH_REPOSITORY"] else {
            throw BenchmarkFailure(["the build is measured by ops/bench build"])
        }
        let folder = "/tmp/switchyard-build-\(ProcessInfo.processInfo.processIdentifier)"
        let result: Result<[Figure], any Error>
        do { result = .success(try await measure(repository, folder, options)) } catch { result = .failure(error) }
        try FileManager.default.removeItem(atPath: folder)
        return try result.get()
    }

    private func measure(_ repository: String, _ folder: String, _ options: BenchmarkOptions) async throws -> [Figure] {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = try await shell(
            "git -C '\(repository)' ls-files -z | tar -C '\(repository)' --null -T - -c | tar -C '\(folder)' -x")
        let build = "cd '\(folder)' && swift build"
        var figures: [Figure] = []
        if options.size != .quick {
            figures.append(Figure("release, clean", try await shell("\(build) -c release"), "s"))
        }
        figures.append(Figure("debug, clean", try await shell(build), "s"))
        var times: [Double] = []
        for number in 1...3 {
            _ = try await shell(
                "echo 'private func change() -> Int { \(number) }' >>'\(folder)/\(Self.changedFile)'"
                    + (number > 1 ? " && sed -i '/{ \(number - 1) }$/d' '\(folder)/\(Self.changedFile)'" : ""))
            times.append(try await shell(build))
        }
        figures.append(Figure("debug, one body changed", medianOf: times, "s"))
        return figures
    }

    /// - Returns: the seconds it took.
    private func shell(_ command: String) async throws -> Double {
        var environment: [String: String] = [:]
        for name in ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"] {
            environment[name] = ProcessInfo.processInfo.environment[name]
        }
        let start = ContinuousClock.now
        let process = try await ChildProcess.start(
            "/usr/bin/bash", ["-euo", "pipefail", "-c", command], environment: environment)
        let status = await process.exitStatus()
        guard status == .exited(0) else { throw BenchmarkFailure(process.lines.elements.suffix(20)) }
        return start.elapsed.seconds
    }
}
