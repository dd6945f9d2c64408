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
struct ChatCompletionTests {
    @Test(.migratedDatabase) func `a completion is the stored reply, and the same request gives the same`() async throws
    {
        try await ChatFixture.with { chat in
            let body = chat.body("hi", #","clientMessageId":"c-1""#)
            async let waiting = chat.post("/api/chat/completion", body)
            let job = try await chat.claim()
            try await chat.reply(["Hel", "lo"], to: job)
            let answer = try await waiting
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.data["content"] == "Hello" && answer.data["finishReason"] == "stop")
            #expect(answer.data["model"] == "m-1" && answer.data["usage"]?["total_tokens"] == 10)
            let again = try await chat.post("/api/chat/completion", body)
            #expect(again.data == answer.data)
        }
    }

    @Test(
        .migratedDatabase,
        arguments: [
            (ErrorCode.rateLimited, 429), (.contextLength, 400), (.providerUnavailable, 502), (.providerTimeout, 504),
            (.internalError, 500),
        ])
    func `a failure has its own word and a fitting status`(code: ErrorCode, status: Int) async throws {
        try await ChatFixture.with { chat in
            async let waiting = chat.post("/api/chat/completion", chat.body("hi"))
            try await chat.reply(["part"], to: try await chat.claim(), failure: StreamFailure(code: code))
            let answer = try await waiting
            #expect(answer.status == status && answer.code == code.rawValue, "\(answer)")
            #expect(answer.json?["error"]?.stringValue == code.message)
            #expect((answer.fields["retry-after"] != nil) == (code == .rateLimited))
        }
    }

    @Test(.migratedDatabase) func `a stopped completion has what there was`() async throws {
        try await ChatFixture.with { chat in
            async let waiting = chat.post("/api/chat/completion", chat.body("hi"))
            try await chat.reply(["part"], to: try await chat.claim(), finish: .cancelled)
            let answer = try await waiting
            #expect(answer.status == 200 && answer.data["content"] == "part")
            #expect(answer.data["finishReason"] == "cancelled")
        }
    }

    @Test(.migratedDatabase) func `usage is counted for the session`() async throws {
        try await ChatFixture.with { chat in
            let path = "/api/chat/usage?sessionId=\(chat.session)"
            let before = try await chat.get(path)
            #expect(before.data["totals"]?["total_tokens"] == 0 && before.data["last_round"] == .null)
            #expect(before.data["current"]?["prompt_tokens"] == 0)
            let reply = try await chat.send()
            let job = try await chat.claim()
            let call = ProviderCall(
                lease: job.lease, number: 1, userID: chat.person.id, sessionID: chat.session,
                messageID: reply.message, model: "m-1", provider: "local")
            try await chat.api.services.usage.open(call, promptTokens: 7, contextLimitTokens: 100)
            try await chat.api.services.usage.close(call, ChatFixture.usage)
            try await chat.reply(["a"], to: job)
            let after = try await chat.get(path)
            #expect(after.data["totals"]?["total_tokens"] == 10, "\(after)")
            #expect(after.data["last_round"]?["model"] == "m-1" && after.data["current"]?["context_remaining"] == 90)
            #expect(try await chat.get("/api/chat/usage").status == 400)
            let stranger = try await chat.api.person()
            #expect(try await chat.get(path, token: stranger.token).status == 404)
            await reply.client.close()
        }
    }
}
