// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime

/// `switchyard-bench SCENARIO [options]`; run by `ops/bench`, which makes the server it needs.
@main
enum SwitchyardBench {
    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch let error as BenchmarkUsageError {
            write("switchyard-bench: \(error)\n\n\(BenchmarkOptions.usage)\n", to: STDERR_FILENO)
            exit(64)
        } catch {
            write("switchyard-bench: \(error)\n", to: STDERR_FILENO)
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        switch arguments.first {
        case "--names": return write(Scenarios.all.map { $0.name + "\n" }.joined(), to: STDOUT_FILENO)
        case "--summary": return write(try Summary(arguments.dropFirst()).table + "\n", to: STDOUT_FILENO)
        // Run by the scenario `instructions`, under a tool that counts.
        case HotPath.command: return try HotPath.run(Array(arguments.dropFirst()))
        default: break
        }
        let options = try BenchmarkOptions(arguments: arguments)
        guard let name = options.scenario else { return write(BenchmarkOptions.usage + "\n", to: STDOUT_FILENO) }
        guard let scenario = Scenarios.all.first(where: { $0.name == name }) else {
            throw BenchmarkUsageError(description: "there is no scenario «\(name)»")
        }
        _ = try ProcessLimits.raiseOpenDescriptors()
        var rounds: [[Figure]] = []
        for _ in 0..<(options.rounds ?? (options.size == .quick ? 1 : scenario.rounds)) {
            rounds.append(try await scenario.run(options))
        }
        let report = Report(scenario: scenario.name, figures: Rounds.combine(rounds), roundCount: rounds.count)
        write(report.table + "\n", to: STDOUT_FILENO)
        if let folder = options.saveFolder { write("saved \(try report.save(in: folder))\n", to: STDERR_FILENO) }
    }

    static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        let written = unsafe Glibc.write(descriptor, bytes, bytes.count)
        if written != bytes.count { exit(74) }
    }
}
