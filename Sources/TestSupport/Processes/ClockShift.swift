// SPDX-License-Identifier: Apache-2.0
import Cryptography
import FoundationEssentials
import Glibc
import Runtime

/// A wall clock that a test puts forward and back for the processes that it chooses, while they run: a library loaded
/// before all others answers in the C library's place. Clocks that do not step stay as they are.
package struct ClockShift: Sendable {
    /// To be loaded into a process: `LD_PRELOAD`. Whoever runs a process can read it.
    package let library: String

    /// What a process needs in its environment.
    package var environment: [String: String] { ["LD_PRELOAD": library] }

    /// Whether the library can be loaded into any program: one built with a sanitizer needs that sanitizer.
    package static let isAvailable: Bool = {
        do {
            let bytes = try Data(contentsOf: URL(filePath: try builtLibrary()))
            return bytes.firstRange(of: Data("__tsan_".utf8)) == nil
                && bytes.firstRange(of: Data("__asan_".utf8)) == nil
        } catch {
            return false
        }
    }()

    /// Runs a body with a clock that is right until it is set, and that nobody else uses.
    package static func with<Value>(_ body: (ClockShift) async throws -> Value) async throws -> Value {
        let suffix = Hexadecimal.encode(RandomBytes.generate(count: 6))
        let folder = "\(FileManager.default.temporaryDirectory.path)/switchyard-clock.\(suffix)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        // A database's server runs as another user.
        guard unsafe chmod(folder, 0o755) == 0 else { throw SystemError(number: errno, call: "chmod") }
        let clock = ClockShift(library: "\(folder)/libClockShift.so")
        try FileManager.default.copyItem(atPath: try builtLibrary(), toPath: clock.library)
        try clock.set(.zero)
        let result: Result<Value, any Error>
        do { result = .success(try await body(clock)) } catch { result = .failure(error) }
        try FileManager.default.removeItem(atPath: folder)
        return try result.get()
    }

    /// Puts the clock so far ahead of the right time, or behind it.
    package func set(_ offset: Duration) throws {
        let nanoseconds = Int64(offset / .nanoseconds(1))
        // In place: the processes have this very file in their memory.
        let descriptor = unsafe open("\(library).nanoseconds", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemError(number: errno, call: "open") }
        defer { Socket.close(descriptor) }
        let written = unsafe withUnsafeBytes(of: nanoseconds) { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard written == MemoryLayout<Int64>.size else { throw SystemError(number: errno, call: "pwrite") }
    }

    /// Whether a process asks this clock.
    package func isLoaded(by process: SwitchyardProcess) throws -> Bool {
        try TextFile.read("/proc/\(process.child.pid)/maps").contains("\(library).nanoseconds")
    }

    private static func builtLibrary() throws -> String {
        let program = try TextFile.link("/proc/self/exe")
        return program.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/libClockShift.so"
    }
}
