// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Observability
import Persistence
import Postgres
import Runtime
import TestSupport
import Testing

@testable import API

/// A person with a session, and a worker that does as it is told.
struct ChatFixture: Sendable {
    private static let clients = Result { try EventLoop(name: "readers") }

    let api: TestAPI
    let person: Person
    let session: SessionID
    let worker: WorkerID
    private let writer: EventLogWriter

    /// In a database of the test's own: claims take whatever job there is.
    static func with(
        settings: [SystemSettingKey: JSONValue] = [:], timing: StreamHub.Timing = StreamHub.Timing(),
        _ body: (ChatFixture) async throws -> Void
    ) async throws {
        try await TestAPI.serve(settings: settings, timing: timing) { api in
            let person = try await api.person()
            let made = try await api.send("POST", "/api/sessions", "{}", token: person.token)
            let connection = DedicatedConnection(
                try TestDatabase.required().configuration, applicationName: "publisher", asynchronousCommit: true,
                loop: try clients.get(), blocking: TestCluster.blocking, logger: .discard)
            _ = try await connection.connection()
            let fixture = ChatFixture(
                api: api, person: person, session: try #require(SessionID(made.id)), worker: api.services.ids.next(),
                writer: EventLogWriter(connection: connection))
            let result: Result<Void, any Error>
            do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
            try await connection.connection().close()
            try result.get()
        }
    }

    func open(
        _ method: String, _ path: String, _ body: String? = nil, fields: [String: String] = [:], token: String? = nil,
        at other: TestAPI? = nil, receiveBufferBytes: Int32? = nil
    ) async throws -> (StreamClient, StreamClient.Head) {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(token ?? person.token)\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        let client = try await StreamClient(
            to: (other ?? api).address, on: try Self.clients.get(), request: text + "\r\n" + (body ?? ""),
            receiveBufferBytes: receiveBufferBytes)
        return (client, try await client.head())
    }

    func body(_ content: String, _ more: String = "") -> String {
        #"{"sessionId":"\#(session)","content":"\#(content)"\#(more)}"#
    }

    /// Sends a message and reads `start`.
    func send(
        _ content: String = "hello", _ more: String = "", fields: [String: String] = [:]
    ) async throws -> OpenReply {
        let (client, head) = try await open("POST", "/api/chat/stream", body(content, more), fields: fields)
        #expect(head.status == 200)
        let start = try await client.events(1)[0]
        #expect(start.name == "start" && start.id == "0.1")
        let json = try JSONParser.parse(start.data)
        return OpenReply(
            client: client, head: head, job: try #require(JobID(head.fields["x-job-id"] ?? "")),
            message: try #require(MessageID(head.fields["x-message-id"] ?? "")),
            userMessage: try #require(json["userMessageId"]?.stringValue.flatMap { MessageID($0) }))
    }

    func get(_ path: String, token: String? = nil) async throws -> APIAnswer {
        try await api.send("GET", path, token: token ?? person.token)
    }

    func post(_ path: String, _ body: String, token: String? = nil) async throws -> APIAnswer {
        try await api.send("POST", path, body, token: token ?? person.token)
    }
}

/// A reply that is being read.
struct OpenReply: Sendable {
    let client: StreamClient
    let head: StreamClient.Head
    let job: JobID
    let message: MessageID
    let userMessage: MessageID
}

// The worker's side.
extension ChatFixture {
    static let usage = Usage(promptTokens: 7, completionTokens: 3, contextLimit: 100, isEstimated: false)

    /// The next chat job, once there is one.
    func claim() async throws -> ClaimedJob {
        while true {
            let limit = ClaimLimit(total: 1, background: 0)
            if let job = try await api.services.queue.claim(limit, worker: worker).first { return job }
            await Task.yield()
        }
    }

    private func stamp(_ job: ClaimedJob, _ first: Int32, _ events: [StreamEvent]) -> [StampedEvent] {
        let now = api.services.clock.now
        return events.enumerated().map { index, event in
            StampedEvent(
                job: job.lease.job,
                event: LoggedEvent(
                    event, at: StreamCursor(lease: job.lease.number, sequence: first + Int32(index))), written: now)
        }
    }

    func publish(_ job: ClaimedJob, from first: Int32, _ events: [StreamEvent]) async throws {
        _ = try await writer.append(stamp(job, first, events), announcing: [])
    }

    /// Writes a reply word by word and ends it.
    func reply(
        _ words: [String], to job: ClaimedJob, finish: FinishReason = .stop, failure: StreamFailure? = nil
    ) async throws {
        for (index, word) in words.enumerated() {
            try await publish(job, from: Int32(index) + 1, [.content(word)])
        }
        try await self.finish(
            job, from: Int32(words.count) + 1, text: words.joined(), finish, failure: failure)
    }

    /// Ends a reply whose text was published.
    func finish(
        _ job: ClaimedJob, from first: Int32, text: String, _ finish: FinishReason = .stop,
        failure: StreamFailure? = nil
    ) async throws {
        let payload = try #require(ChatPayload(json: job.payload))
        let isCancelled = finish == .cancelled
        let last: [StreamEvent] =
            if let failure {
                [.error(failure)]
            } else {
                [
                    .stop(finish), .usage(Self.usage), .end,
                    .complete(
                        StreamCompletion(
                            messageID: payload.messageID, finishReason: finish, usage: Self.usage,
                            contentLengthBytes: text.utf8.count)),
                ]
            }
        let events = stamp(job, first, last)
        let effect = RunEffect.reply(
            ReplyEnd(
                messageID: payload.messageID, sessionID: payload.sessionID, owner: job.userID, content: text,
                status: failure == nil && !isCancelled ? .complete : text.isEmpty ? .failed : .incomplete,
                finishReason: failure == nil ? finish : nil, failure: failure, usage: Self.usage, model: "m-1",
                provider: "local", call: nil))
        let end: RunEnd =
            if let failure {
                .failed(JobFailure(.fatal, failure.code, "as told"))
            } else {
                isCancelled ? .cancelled : .completed(result: Array(#"{"ok":true}"#.utf8))
            }
        let settlement = try await api.services.queue.settle(job, end, events: events, effect: effect)
        guard case .held = settlement else { throw NotHeld(settlement: settlement) }
        _ = try await writer.append([], announcing: events)
    }

    /// As retention does, whole partitions at a time.
    func forgetEvents(where condition: StaticString) async throws {
        try await api.services.database.pool.execute(
            "DELETE FROM events WHERE \(fragment: SQL(stringLiteral: condition))")
    }

    struct NotHeld: Error { let settlement: Settlement }
}
