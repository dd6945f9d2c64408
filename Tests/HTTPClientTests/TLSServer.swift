// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A TLS server with a certificate of its own making: OpenSSL's test server as a process.
final class TLSServer {
    struct Failure: Error { let what: String }

    let port: Int
    /// The certificate, which is also its own authority.
    let certificateFile: String

    private let directory: URL
    private let process: Process

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "switchyard-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let key = directory.appending(path: "key.pem").path
        certificateFile = directory.appending(path: "certificate.pem").path
        let maker = try Self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=switchyard test", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", key, "-out", certificateFile)
        maker.waitUntilExit()
        guard maker.terminationStatus == 0 else { throw Failure(what: "no certificate") }
        let output = Pipe()
        process = try Self.openssl(
            "s_server", "-accept", "127.0.0.1:0", "-cert", certificateFile, "-key", key, "-www", output: output)
        port = try Self.port(in: output)
    }

    func stop() throws {
        // It inherits blocked signals from the thread that started it, so it would not hear of a milder one.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try FileManager.default.removeItem(at: directory)
    }

    private static func openssl(_ arguments: String..., output: Pipe = Pipe()) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// The server says `ACCEPT 127.0.0.1:<port>` once it listens.
    private static func port(in output: Pipe) throws -> Int {
        var text = ""
        while true {
            guard let data = try output.fileHandleForReading.read(upToCount: 1), !data.isEmpty else {
                throw Failure(what: "the server ended: \(text)")
            }
            text += String(decoding: data, as: UTF8.self)
            guard text.hasSuffix("\n"), let line = text.split(separator: "\n").last(where: { $0.hasPrefix("ACCEPT") })
            else { continue }
            guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
                throw Failure(what: "no port in \(line)")
            }
            return port
        }
    }
}
