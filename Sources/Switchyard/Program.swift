// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import Runtime

/// The one executable. Exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration.
@main
enum Program {
    static let version = "0.1.0"

    /// Not `async`: the dispatch main loop lends the main thread to signals with their default actions, and the
    /// first SIGTERM would end the process. Here the main thread only waits.
    static func main() {
        // Before any thread exists, so that all of them inherit the blocked signals.
        let signals: ProcessSignals
        do throws(SystemError) { signals = try ProcessSignals() } catch {
            fail("signals cannot be taken over: \(error)", 1)
        }
        Task.detached { await runCommand(signals) }
        while true { pause() }
    }

    private static func runCommand(_ signals: ProcessSignals) async {
        do {
            let command = try Command(arguments: Array(CommandLine.arguments.dropFirst()))
            try await run(command, signals)
            exit(0)
        } catch let error as UsageError {
            fail(error.description, 64)
        } catch let error as ConfigurationError {
            fail(error.description, 78)
        } catch {
            fail("\(error)", 1)
        }
    }

    private static func run(_ command: Command, _ signals: ProcessSignals) async throws {
        switch command {
        case .help: write(Command.usage)
        case .version: write(version)
        case .config: write(ConfigurationTable.text)
        case .migrateUp, .migrateDown, .migrateStatus:
            write(try await MigrateCommand(command).run(try configuration()))
        case .adminQueue, .adminWorkers, .adminWeights, .adminSetWeight:
            write(try await AdminCommand(command).run(try configuration()))
        case .serve, .work, .all:
            exit(try await ServiceCommand(command, signals).run(try configuration()))
        }
    }

    /// The environment over `.env`.
    private static func configuration() throws -> Configuration {
        var values: [String: String] = [:]
        if FileManager.default.fileExists(atPath: ".env") {
            let bytes = try Data(contentsOf: URL(filePath: ".env"))
            values = try DotEnv.parse(String(decoding: bytes, as: UTF8.self))
        }
        values.merge(ProcessInfo.processInfo.environment) { _, environment in environment }
        return try Configuration(environment: values)
    }

    private static func write(_ text: String) {
        FileHandleWriter.write(text + "\n", to: STDOUT_FILENO)
    }

    private static func fail(_ sentence: String, _ code: Int32) -> Never {
        FileHandleWriter.write("switchyard: \(sentence)\n", to: STDERR_FILENO)
        exit(code)
    }
}
