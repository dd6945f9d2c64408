// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct UsageStoreTests {
    private func call(
        _ fixture: Fixture, _ session: SessionID, lease: Lease = Lease(job: Fixture.id(), number: 1),
        number: Int16 = 1, message: MessageID? = Fixture.id()
    ) -> ProviderCall {
        ProviderCall(
            lease: lease, number: number, userID: fixture.user, sessionID: session, messageID: message,
            model: "m\(number)", provider: "openai")
    }

    private func usage(_ prompt: Int, _ completion: Int, limit: Int = 1000, estimated: Bool = false) -> Usage {
        Usage(promptTokens: prompt, completionTokens: completion, contextLimit: limit, isEstimated: estimated)
    }

    @Test func `a session without calls has no round`() async throws {
        let fixture = try await Fixture.make()
        let found = try await fixture.usage.usage(of: Fixture.id(), user: fixture.user)
        #expect(found.totals.callCount == 0 && found.totals.totalTokens == 0)
        #expect(found.lastRound == nil && found.current == nil)
    }

    @Test func `a late truth replaces an estimate and nothing replaces a truth`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let call = call(fixture, session)
        try await fixture.usage.open(call, promptTokens: 10, contextLimitTokens: 1000)
        try await fixture.usage.open(call, promptTokens: 99, contextLimitTokens: 1)
        var found = try await fixture.usage.usage(of: session, user: fixture.user)
        #expect(found.totals.promptTokens == 10 && found.totals.isEstimated && found.lastRound == nil)
        #expect(found.current?.contextRemaining == 990)
        #expect(try await fixture.usage.close(call, usage(11, 5, estimated: true)))
        found = try await fixture.usage.usage(of: session, user: fixture.user)
        #expect(found.lastRound?.usage == usage(11, 5, estimated: true))
        #expect(try await fixture.usage.close(call, usage(12, 6)))
        #expect(try await fixture.usage.close(call, usage(1, 1)) == false)
        #expect(try await fixture.usage.close(call, usage(1, 1, estimated: true)) == false)
        found = try await fixture.usage.usage(of: session, user: fixture.user)
        #expect(found.lastRound?.usage == usage(12, 6) && !found.totals.isEstimated)
        #expect(found.current?.contextRemaining == 982)
    }

    @Test func `a call that was never opened is closed all the same`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        #expect(try await fixture.usage.close(call(fixture, session), usage(3, 4)))
        #expect(try await fixture.usage.usage(of: session, user: fixture.user).totals.totalTokens == 7)
    }

    @Test func `totals count every call and the last round those of the last run of a reply`() async throws {
        let fixture = try await Fixture.make()
        let session = try await fixture.session().id
        let (job, message): (JobID, MessageID) = (Fixture.id(), Fixture.id())
        let (first, second) = (Lease(job: job, number: 1), Lease(job: job, number: 2))
        for (lease, number, figures) in [
            (first, 1, usage(100, 1)), (second, 1, usage(10, 2)), (second, 2, usage(20, 3, limit: 500)),
        ] as [(Lease, Int16, Usage)] {
            let call = call(fixture, session, lease: lease, number: number, message: message)
            #expect(try await fixture.usage.close(call, figures))
        }
        // A title is paid for but is no round.
        #expect(try await fixture.usage.close(call(fixture, session, message: nil), usage(1000, 1000)))
        let found = try await fixture.usage.usage(of: session, user: fixture.user)
        #expect(found.totals.callCount == 4)
        #expect((found.totals.promptTokens, found.totals.completionTokens) == (1130, 1006))
        #expect(found.lastRound?.usage == usage(30, 5, limit: 500))
        #expect(found.lastRound?.model == "m2" && found.lastRound?.provider == "openai")
        #expect(found.current?.promptTokens == 20 && found.current?.contextRemaining == 477)
    }
}
