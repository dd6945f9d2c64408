// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Jobs
import Persistence
import TestSupport
import Testing

@testable import API

@Suite(.timeLimit(.minutes(1)))
struct JobListTests {
    private func ids(_ answer: APIAnswer) -> [String] {
        answer.data["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
    }

    @Test(.migratedDatabase) func `jobs are listed page by page, newest first, for their owner only`() async throws {
        try await ChatFixture.with(settings: [.titleEnabled: false]) { chat in
            var made: [String] = []
            for _ in 0..<5 {
                let reply = try await chat.send()
                made.insert("\(reply.job)", at: 0)
                await reply.client.close()
            }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let page = try await chat.get("/api/jobs?limit=2" + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(page.status == 200)
                seen += ids(page)
                cursor = page.data["nextCursor"]?.stringValue
            } while cursor != nil && seen.count < 10
            #expect(seen == made)
            let one = try await chat.get("/api/jobs?limit=1")
            #expect(one.data["items"]?[0] == (try await chat.get("/api/jobs/\(made[0])")).data)
            let stranger = try await chat.api.person()
            #expect(ids(try await chat.get("/api/jobs", token: stranger.token)) == [])
            #expect(try await chat.api.send("GET", "/api/jobs").status == 401)
        }
    }

    @Test(.migratedDatabase) func `a list is filtered by kind and state`() async throws {
        try await ChatFixture.with { chat in
            let (first, second) = (try await chat.send(), try await chat.send())
            try await chat.reply(["a"], to: try await chat.claim())
            let third = try await chat.send()
            let running = try await chat.claim()
            #expect(running.lease.job == second.job)
            for (query, expected) in [
                ("kind=chat", [third.job, second.job, first.job]), ("kind=chat&state=completed", [first.job]),
                ("state=running", [second.job]), ("kind=chat&state=ready", [third.job]), ("state=failed", []),
                ("kind=nothing", []),
            ] {
                let page = try await chat.get("/api/jobs?\(query)")
                #expect(ids(page) == expected.map(\.description), "\(query)")
                #expect(page.data["nextCursor"] == .null, "\(query)")
            }
            #expect(ids(try await chat.get("/api/jobs?kind=title&state=ready")).count == 1)
            // A filtered list goes on after its cursor too.
            let page = try await chat.get("/api/jobs?kind=chat&limit=2")
            let cursor = try #require(page.data["nextCursor"]?.stringValue)
            #expect(ids(try await chat.get("/api/jobs?kind=chat&limit=2&cursor=\(cursor)")) == ["\(first.job)"])
            for reply in [first, second, third] { await reply.client.close() }
        }
    }

    @Test(
        .migratedDatabase,
        arguments: [
            ("limit=0", ["limit"]), ("cursor=x&state=gone", ["state", "cursor"]),
            ("kind=\(String(repeating: "k", count: 65))", ["kind"]),
        ])
    func `all that is wrong with a query is told at once`(query: String, fields: [String]) async throws {
        try await TestAPI.serve { api in
            let person = try await api.person()
            let answer = try await api.send("GET", "/api/jobs?\(query)", token: person.token)
            #expect(answer.status == 400)
            #expect(answer.wrongFields == fields)
        }
    }
}
