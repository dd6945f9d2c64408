// SPDX-License-Identifier: Apache-2.0
import Glibc
package import JSON
package import Runtime

/// The product in a process of its own, as built beside the tests.
package final class SwitchyardProcess: Sendable {
    /// Which of the program's commands.
    package enum Role: String, Sendable {
        /// API and worker; migrates.
        case all
        /// The API.
        case serve
        /// A worker.
        case work
    }

    /// The process below.
    package let child: ChildProcess
    /// What it was started as.
    package let role: Role

    private init(_ child: ChildProcess, _ role: Role) {
        self.child = child
        self.role = role
    }

    /// Starts it with short pauses on the shared server's database of that name, or on the one of a URL.
    package static func start(
        _ role: Role, database: String, environment: [String: String] = [:]
    ) async throws -> SwitchyardProcess {
        var values = [
            "PATH": "/usr/bin:/bin", "DATABASE_URL": try url(database), "HOST": "127.0.0.1", "PORT": "0",
            "APP_MODE": "single", "LOG_LEVEL": "debug", "ENCRYPTION_KEY": String(repeating: "e5", count: 32),
            "JWT_SECRET": String(repeating: "7a", count: 32), "DATABASE_POOL_SIZE": "4", "RATE_LIMIT_MAX": "1000000",
            "RATE_LIMIT_IP_MAX": "1000000", "PROVIDER_5XX_DELAY_MS": "20", "PROVIDER_429_DELAY_MS": "100",
        ]
        values.merge(environment) { $1 }
        return SwitchyardProcess(
            try await ChildProcess.start(try executable(), [role.rawValue], environment: values), role)
    }

    /// Runs a command that ends by itself on a database, and returns how it ended and what it printed.
    package static func output(
        _ arguments: [String], database: String
    ) async throws -> (status: ChildProcess.ExitStatus, lines: [String]) {
        let child = try await ChildProcess.start(
            try executable(), arguments, environment: ["PATH": "/usr/bin:/bin", "DATABASE_URL": try url(database)])
        let status = await child.exitStatus()
        return (status, child.lines.elements)
    }

    /// Where it listens; waits until it does.
    package func address() async throws -> SocketAddress {
        let line = try await line("listening")
        guard let host = line["listen.address"]?.stringValue, let port = line["listen.port"]?.integerValue else {
            throw Unheard(hasEnded: false, last: ["\(line)"])
        }
        return SocketAddress(host: host, port: UInt16(port))
    }

    /// The first log line with this message, now or later.
    package func line(_ message: String, within patience: Duration = .seconds(20)) async throws -> JSONValue {
        let text = try await child.lines.first(within: patience) { Self.entry($0)?["message"]?.stringValue == message }
        return Self.entry(text) ?? .null
    }

    /// Log lines of these levels that are kept; what is no log line counts as an error.
    package func lines(level levels: String...) -> [String] {
        child.lines.elements.filter { levels.contains(Self.entry($0)?["level"]?.stringValue ?? "error") }
    }

    /// Whether it has come so far that a signal to end is its own to answer: before, the kernel ends it at once.
    package func takesSignals() throws -> Bool {
        let line = try TextFile.read("/proc/\(child.pid)/status").split(separator: "\n").first {
            $0.hasPrefix("SigBlk:")
        }
        let blocked = line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
        return blocked & 1 << UInt64(SIGTERM - 1) != 0
    }

    /// Asks it to end in order.
    package func terminate() { child.signal(SIGTERM) }
    /// Ends it at once.
    package func kill() { child.signal(SIGKILL) }
    /// Stops it from running until ``resume()``.
    package func suspend() { child.signal(SIGSTOP) }
    /// Lets it run again.
    package func resume() { child.signal(SIGCONT) }

    /// Memory that it holds, in bytes.
    package func residentBytes() throws -> Int {
        let text = try TextFile.read("/proc/\(child.pid)/statm")
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Runs a body with the process and ends it afterwards, by force.
    package static func with<Value>(
        _ role: Role, database: String, environment: [String: String] = [:],
        _ body: (SwitchyardProcess) async throws -> Value
    ) async throws -> Value {
        let process = try await start(role, database: database, environment: environment)
        let result: Result<Value, any Error>
        do { result = .success(try await body(process)) } catch { result = .failure(error) }
        process.kill()
        await process.child.exitStatus()
        return try result.get()
    }

    private static func entry(_ line: String) -> JSONValue? {
        guard line.hasPrefix("{") else { return nil }
        do throws(JSONError) { return try JSONParser.parse(line) } catch {
            // Not a log line, though it looks like one.
            return nil
        }
    }

    /// The tests' own program lies where everything was built.
    private static func executable() throws -> String {
        let path = try TextFile.link("/proc/self/exe")
        return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/switchyard"
    }

    private static func url(_ database: String) throws -> String {
        if database.contains("://") { return database }
        guard let url = TestCluster.url, let slash = url.lastIndex(of: "/") else { throw TestCluster.MissingServer() }
        return url[...slash] + database
    }
}
