// SPDX-License-Identifier: Apache-2.0
import Glibc

/// `switchyard-bench SCENARIO [options]`; run by `ops/bench`, which makes the server it needs.
@main
enum SwitchyardBench {
    static func main() async {
        let options: BenchmarkOptions
        do {
            options = try BenchmarkOptions(arguments: Array(CommandLine.arguments.dropFirst()))
        } catch {
            write("switchyard-bench: \(error)\n\n\(BenchmarkOptions.usage)\n", to: STDERR_FILENO)
            exit(64)
        }
        guard let name = options.scenario else {
            write(BenchmarkOptions.usage + "\n", to: STDOUT_FILENO)
            return
        }
        do {
            guard let scenario = Scenarios.all.first(where: { $0.name == name }) else {
                throw UnknownScenario(name: name)
            }
            let report = Report(scenario: scenario.name, figures: try await scenario.run(options))
            write(report.table + "\n", to: STDOUT_FILENO)
            if let folder = options.saveFolder { write("saved \(try report.save(in: folder))\n", to: STDERR_FILENO) }
        } catch {
            write("switchyard-bench: \(error)\n", to: STDERR_FILENO)
            exit(1)
        }
    }

    static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        let written = unsafe Glibc.write(descriptor, bytes, bytes.count)
        if written != bytes.count { exit(74) }
    }
}

/// There is no scenario of this name.
struct UnknownScenario: Error, CustomStringConvertible {
    let name: String
    var description: String {
        "there is no scenario «\(name)»; there are \(Scenarios.all.map(\.name).joined(separator: ", "))"
    }
}
