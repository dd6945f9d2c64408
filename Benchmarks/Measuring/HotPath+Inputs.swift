// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Postgres
import Synchronization

/// The same in every run.
extension HotPath {
    /// Twenty tokens, some of them not ASCII or to be escaped.
    static let texts: [String] = (0..<20).map { index in
        switch index % 5 {
        case 3: "naïve "
        case 4: "\"line\"\n"
        default: "token\(index) "
        }
    }

    /// As a provider sends them, each in a read of its own.
    static let chunks: [[UInt8]] = texts.map { text in
        let delta: JSONObject = ["content": .string(text)]
        let choice: JSONObject = [
            "index": .integer(0), "delta": .object(delta), "logprobs": .null, "finish_reason": .null,
        ]
        let chunk: JSONObject = [
            "id": .string("chatcmpl-9XyZaBcDeFgHiJkLmNoPqRsTuVwXy"), "object": .string("chat.completion.chunk"),
            "created": .integer(1_700_000_000), "model": .string("gpt-4o-mini-2024-07-18"),
            "system_fingerprint": .string("fp_0ba0d124f1"), "choices": .array([.object(choice)]), "usage": .null,
        ]
        return Array("data: ".utf8) + JSONWriter.encode(.object(chunk)) + Array("\n\n".utf8)
    }

    /// Five events each of four jobs, as a flush has them.
    static let events: [StampedEvent] = texts.enumerated().map { index, text in
        let cursor = StreamCursor(lease: 7_881_299_347_898_368, sequence: Int32(index % 5) + 1)
        return StampedEvent(
            job: JobID(high: 0x0189_0000_0000_7000, low: 0x8000_0000_0000_0000 + UInt64(index / 5)),
            event: LoggedEvent(.content(text), at: cursor),
            written: Timestamp(millisecondsSince1970: 1_700_000_000_000))
    }

    static let requestBody = Array(
        #"{"sessionId":"01890000-0000-7000-8000-000000000001","content":"How many \u00e4pples are in \"it\"?"}"#.utf8)

    static let message: JSONObject = [
        "id": .string("01890000-0000-7000-8000-000000000001"),
        "sessionId": .string("01890000-0000-7000-8000-000000000002"),
        "role": .string("assistant"), "content": .string("Twelve äpples, says \"the count\".\n"),
        "status": .string("complete"), "tokens": .integer(11),
        "createdAt": .string("2026-01-31T23:59:59.999Z"), "parentId": .null, "isEstimated": .bool(false),
    ]

    /// Keeps the last one, so that making it counts.
    static let lastStatement = Mutex<SQL?>(nil)

    /// A statement of the shape in which the publisher appends: text, and six arrays of values.
    static func append(_ events: [StampedEvent]) -> SQL {
        """
        INSERT INTO events (job, lease, seq, kind, data, written)
        SELECT g.* FROM unnest(\(events.map(\.job)), \(events.map(\.event.cursor.lease)),
                               \(events.map(\.event.cursor.sequence)), \(events.map(\.event.kind.rawValue)),
                               \(events.map { String(decoding: $0.event.data, as: UTF8.self) }),
                               \(events.map(\.written))) AS g (job, lease, seq, kind, data, written)
        """
    }
}
