// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)))
struct ChatStopTests {
    @Test(.migratedDatabase, arguments: ["messageId", "sessionId", "jobId"])
    func `what waits is stopped and its stream ends in order`(by: String) async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let ids = ["messageId": "\(reply.message)", "sessionId": "\(chat.session)", "jobId": "\(reply.job)"]
            let body = #"{"\#(by)":"\#(ids[by] ?? "")"}"#
            let stranger = try await chat.api.person()
            #expect(try await chat.post("/api/chat/stop", body, token: stranger.token).status == 404)
            let stopped = try await chat.post("/api/chat/stop", body)
            #expect(stopped.status == 200 && stopped.data["stopped"] == 1, "\(stopped)")
            let events = try await reply.client.eventsToEnd()
            #expect(events.map(\.name) == ["stop", "usage", "end", "complete"])
            #expect(events[0].data.contains("cancelled"))
            #expect(try await chat.post("/api/chat/stop", body).data["stopped"] == 0)
            let stored = try await chat.api.services.messages.find(reply.message, user: chat.person.id)
            #expect(stored?.message.status == .incomplete && stored?.message.finishReason == .cancelled)
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase) func `a run is told to end`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let job = try await chat.claim()
            try await chat.publish(job, from: 1, [.content("par")])
            let stopped = try await chat.post("/api/chat/stop", #"{"messageId":"\#(reply.message)"}"#)
            #expect(stopped.data["stopped"] == 1)
            let isMarked = try await chat.api.services.database.pool.query(
                "SELECT cancel_requested FROM running WHERE job = \(reply.job)"
            ).decodeFirst(Bool.self)
            #expect(isMarked == true)
            try await chat.finish(job, from: 2, text: "par", .cancelled)
            let events = try await reply.client.eventsToEnd()
            #expect(events.map(\.name) == ["content", "stop", "usage", "end", "complete"])
            await reply.client.close()
        }
    }

    @Test(.migratedDatabase, arguments: ["{}", #"{"jobId":"J","sessionId":"J"}"#, #"{"messageId":"x"}"#])
    func `exactly one target is wanted`(body: String) async throws {
        try await ChatFixture.with { chat in
            let body = body.replacing("J", with: "0199c6f0-0000-7000-8000-000000000001")
            let answer = try await chat.post("/api/chat/stop", body)
            #expect(answer.status == 400 && answer.wrongFields.contains("messageId"), "\(answer)")
        }
    }

    @Test(.migratedDatabase) func `a job is cancelled and shown`() async throws {
        try await ChatFixture.with { chat in
            let reply = try await chat.send()
            let path = "/api/jobs/\(reply.job)"
            #expect(try await chat.get(path).data["state"] == "ready")
            let stranger = try await chat.api.person()
            #expect(try await chat.post(path + "/cancel", "{}", token: stranger.token).status == 404)
            let cancelled = try await chat.post(path + "/cancel", "{}")
            #expect(cancelled.data["state"] == "cancelled" && cancelled.data["finishedAt"] != nil, "\(cancelled)")
            #expect(try await chat.post(path + "/cancel", "{}").data == cancelled.data)
            #expect(try await reply.client.eventsToEnd().last?.name == "complete")
            await reply.client.close()
        }
    }
}
