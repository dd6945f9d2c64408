// SPDX-License-Identifier: Apache-2.0
import Glibc
import Runtime
import TestSupport

/// `switchyard-provider-simulator [--host H] [--port P] [--loops N]`: prints `{"port":…}` and serves until SIGTERM.
@main
enum SimulatorCommand {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count.isMultiple(of: 2), arguments.allSatisfy({ $0 != "--help" }) else { return usage() }
        var options: [String: String] = [:]
        for index in stride(from: 0, to: arguments.count, by: 2) { options[arguments[index]] = arguments[index + 1] }
        guard Set(options.keys).isSubset(of: ["--host", "--port", "--loops"]),
            let port = UInt16(options["--port"] ?? "0"), let loopCount = Int(options["--loops"] ?? "1"), loopCount > 0
        else { return usage() }

        let signals = try ProcessSignals()
        _ = try ProcessLimits.raiseOpenDescriptors()
        let group = try EventLoopGroup(count: loopCount)
        let simulator = try ProviderSimulator(loops: group.loops, host: options["--host"] ?? "127.0.0.1", port: port)
        write("{\"port\":\(simulator.port)}\n", to: STDOUT_FILENO)
        let ended = Gate()
        signals.deliver(on: group.loops[0]) { _ in ended.open() }
        ended.waitBlocking()
    }

    private static func usage() {
        write("usage: switchyard-provider-simulator [--host H] [--port P] [--loops N]\n", to: STDERR_FILENO)
        exit(64)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        let written = unsafe Glibc.write(descriptor, bytes, bytes.count)
        if written != bytes.count { exit(74) }
    }
}
