// SPDX-License-Identifier: Apache-2.0
import API
import Chat
import HTTP
import JSON
import Jobs
import Persistence
import Postgres
import Providers
import Synchronization

/// What is done once a token, or once a batch of them, as fixed pieces of work that need neither time nor machine.
enum HotPath: String, CaseIterable, Sendable {
    /// A provider's bytes of 20 tokens → events.
    case decoding = "OpenAI stream, 20 chunks"
    /// 20 tokens → what is stored of them.
    case encoding = "event encoding, 20 events"
    /// 20 stored events → payloads of notifications.
    case packing = "notification packing, 20 events"
    /// 20 stored events → a statement's text and values.
    case binding = "append statement, 20 events"
    /// Payloads of notifications → frames for viewers.
    case relaying = "relay, 20 events"
    /// A request's body → its fields.
    case parsing = "JSON parsing, 1 request"
    /// A message → the JSON of an answer.
    case writing = "JSON writing, 1 message"

    /// The first argument of the process that only does this.
    static let command = "--hot-path"

    /// Does one of them so many times.
    static func run(_ arguments: [String]) throws {
        guard arguments.count == 2, let path = HotPath(rawValue: arguments[0]), let count = Int(arguments[1]) else {
            throw BenchmarkUsageError(description: "\(command) takes a name and a number")
        }
        var checksum = 0
        let work = try path.work()
        for _ in 0..<count { checksum &+= try work() }
        // Nothing of it can be left out by the compiler when its result is seen.
        SwitchyardBench.write("\(checksum)\n", to: 1)
    }

    /// What it does once; what comes out is only there to be looked at.
    private func work() throws -> () throws -> Int {
        let events = Self.events
        switch self {
        case .decoding:
            let chunks = Self.chunks
            return {
                var decoder = OpenAIStreamDecoder(apiKey: nil)
                return try chunks.reduce(0) { $0 + (try decoder.feed($1)).count }
            }
        case .encoding:
            let texts = Self.texts
            return {
                var bytes = 0
                for (index, text) in texts.enumerated() {
                    bytes +=
                        LoggedEvent(.content(text), at: StreamCursor(lease: 1 << 52, sequence: Int32(index) + 1))
                        .data.count
                }
                return bytes
            }
        case .packing:
            return { StreamNotification.encode(events).reduce(0) { $0 + $1.utf8.count } }
        case .binding:
            return {
                let statement = Self.append(events)
                Self.lastStatement.withLock { $0 = statement }
                return events.count
            }
        case .relaying:
            let payloads = StreamNotification.encode(events)
            return {
                var bytes = 0
                for payload in payloads {
                    _ = StreamNotification.decode(payload) { arrival in
                        guard let kind = arrival.kind, let data = arrival.data else { return }
                        bytes += RelayedEvent(LoggedEvent(cursor: arrival.cursor, kind: kind, data: data)).frame.count
                    }
                }
                return bytes
            }
        case .parsing:
            let body = Self.requestBody
            return { try JSONParser.parse(body)["content"]?.stringValue?.utf8.count ?? 0 }
        case .writing:
            return { JSONWriter.encode(.object(Self.message)).count }
        }
    }
}
