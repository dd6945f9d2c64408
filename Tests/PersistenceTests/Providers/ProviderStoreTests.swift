// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.migratedDatabase, .timeLimit(.minutes(1)))
struct ProviderStoreTests {
    private func worker() -> WorkerID { Fixture.id() }

    private func store(minute: Duration = .seconds(60)) throws -> ProviderStore {
        ProviderStore(
            database: try TestDatabase.required().database, rules: BudgetRules(minute: minute),
            breakerRules: CircuitBreaker.Rules(threshold: 3, base: .milliseconds(300)))
    }

    private func configuration(_ limits: ProviderLimits, isShared: Bool = true) async throws -> ModelID {
        var fields = Fixture.modelFields
        let id: ModelID = Fixture.id()
        (fields.name, fields.limits) = ("limited \(id)", limits)
        let owner = isShared ? nil : try await Fixture.make().user
        let models = try Fixture.models(try TestDatabase.required().database)
        #expect(try await models.create(id, owner: owner, fields, apiKey: nil).fields.limits == limits)
        return id
    }

    private func status(_ model: ModelID) async throws -> ProviderStatus? {
        try await store().statuses().first { $0.model == model }
    }

    @Test func `processes that draw at once never get more places than there are`() async throws {
        let limits = ProviderLimits(maximumConcurrent: 5)
        let model = try await configuration(limits)
        let store = try store()
        let held = Recorder<[WorkerID: Int]>([:])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                let worker = worker()
                group.addTask {
                    for round in 0..<30 {
                        let mine = held.withLock { $0[worker] ?? 0 }
                        // What is given back is not in use any more, what is granted is from the answer on.
                        let returned = round % 3 == 2 ? mine : 0
                        held.withLock { $0[worker] = mine - returned }
                        let wish = PermitWish(calls: returned == 0 ? [0, 0] : [], returnedPlaces: returned)
                        let grant = try await store.exchange(wish, of: model, worker: worker, limits: limits)
                        let all = held.withLock { held in
                            held[worker, default: 0] += grant.places
                            return held.values.reduce(0, +)
                        }
                        #expect(all <= 5)
                    }
                }
            }
            try await group.waitForAll()
        }
        let stored = try await store.holders().filter { $0.model == model }.map(\.places).reduce(0, +)
        #expect(stored == held.withLock { $0.values.reduce(0, +) })
    }

    @Test func `no minute sees more requests than its limit, whoever draws them`() async throws {
        let (minute, limit) = (Duration.milliseconds(1500), 12)
        let limits = ProviderLimits(requestsPerMinute: limit)
        let model = try await configuration(limits)
        let (store, rules) = (try store(minute: minute), BudgetRules(minute: minute))
        let uses = Recorder<[ContinuousClock.Instant]>([])
        let end = ContinuousClock.now + minute * 3
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                let worker = worker()
                group.addTask {
                    while ContinuousClock.now < end {
                        let sentAt = ContinuousClock.now
                        let wish = PermitWish(calls: [0, 0])
                        let grant = try await store.exchange(wish, of: model, worker: worker, limits: limits)
                        let now = ContinuousClock.now
                        // A permit that comes too late may not be used.
                        if now - sentAt < rules.slotWidth {
                            for _ in grant.permits { uses.withLock { $0.append(now) } }
                        }
                        if grant.wait > .zero {
                            try await ContinuousClock().sleep(for: min(grant.wait, .milliseconds(50)))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let times = uses.withLock { $0.sorted() }
        #expect(times.count > limit)
        for index in times.indices where index + limit < times.count {
            #expect(times[index].duration(to: times[index + limit]) > minute)
        }
    }

    @Test func `tokens are reserved, corrected, and never reserved beyond the limit`() async throws {
        let limits = ProviderLimits(tokensPerMinute: 1000)
        let model = try await configuration(limits)
        let store = try store()
        let (first, second) = (worker(), worker())
        let grants = try await withThrowingTaskGroup(of: PermitGrant.self) { group in
            for worker in [first, second] {
                group.addTask {
                    try await store.exchange(PermitWish(calls: [300, 300]), of: model, worker: worker, limits: limits)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let permits = grants.flatMap(\.permits)
        #expect(permits.count == 3 && permits.allSatisfy { $0.reservedTokens == 300 })
        #expect(grants.compactMap(\.shortage) == [.tokens])
        let slot = try #require(permits.first?.slot)
        let wish = PermitWish(
            calls: [300], corrections: [PermitWish.Correction(slot: slot, requests: 0, tokens: -250)])
        let grant = try await store.exchange(wish, of: model, worker: first, limits: limits)
        #expect(grant.permits.count == 1 && grant.remainingTokens == 50)
    }

    @Test func `a dead process's places go back unless it has beaten since`() async throws {
        let limits = ProviderLimits(maximumConcurrent: 1)
        let model = try await configuration(limits)
        let (store, dead, other) = (try store(), worker(), worker())
        let pool = try TestDatabase.required().pool
        _ = try await store.exchange(PermitWish(calls: [0]), of: model, worker: dead, limits: limits)
        let refused = try await store.exchange(PermitWish(calls: [0]), of: model, worker: other, limits: limits)
        #expect(refused.shortage == .places)
        try await pool.execute("INSERT INTO workers (id, beat, slots, version) VALUES (\(dead), 7, 1, '0')")
        #expect(try await store.holders().first { $0.worker == dead }?.beat == 7)
        #expect(try await store.release(dead, unlessBeatenSince: 6) == false)
        // Its row is taken away when its jobs are rescued; its places stay until its silence is long enough.
        try await pool.execute("DELETE FROM workers WHERE id = \(dead)")
        #expect(try await store.holders().first { $0.worker == dead }?.beat == -1)
        #expect(try await store.release(dead, unlessBeatenSince: -1))
        let granted = try await store.exchange(PermitWish(calls: [0]), of: model, worker: other, limits: limits)
        #expect(granted.places == 1)
        try await store.leave(other)
        #expect(try await store.holders().contains { $0.model == model } == false)
    }

    @Test func `a breaker opens, lets one of many probe and closes for everybody`() async throws {
        let model: ModelID = Fixture.id()
        let store = try store()
        for _ in 0..<2 { #expect(try await store.failed(model, limits: ProviderLimits(), jitter: 0).state == .closed) }
        #expect(try await store.failed(model, limits: ProviderLimits(), jitter: 0).state == .open)
        guard case .refused(let wait) = try await store.admit(model, patience: .seconds(30)) else {
            Issue.record("an open breaker let a call pass")
            return
        }
        #expect(wait <= .milliseconds(150))
        #expect(try await status(model)?.breaker == .open)
        try await ContinuousClock().sleep(for: wait)
        let admissions = try await withThrowingTaskGroup(of: CircuitBreaker.Admission.self) { group in
            for _ in 0..<6 { group.addTask { try await store.admit(model, patience: .seconds(30)) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(admissions.count { $0 == .probe } == 1)
        #expect(try await status(model)?.breaker == .halfOpen)
        try await store.succeeded(model)
        #expect(try await store.admit(model, patience: .seconds(30)) == .pass)
        #expect(try await status(model) == nil)
    }

    @Test func `a block holds for as long as the longest that was asked for`() async throws {
        let model: ModelID = Fixture.id()
        let store = try store()
        try await store.block(model, for: .seconds(20), reason: "rate_limited", limits: ProviderLimits())
        try await store.block(model, for: .seconds(1), reason: "rate_limited", limits: ProviderLimits())
        let blocked = try #require(try await status(model)?.blockedFor)
        #expect(blocked > .seconds(15) && blocked <= .seconds(20))
        #expect(try await status(model)?.blockedReason == "rate_limited")
    }

    @Test func `only shared configurations with limits have a gate, and keep it`() async throws {
        let limits = ProviderLimits(maximumConcurrent: 2, requestsPerMinute: 30, tokensPerMinute: 4000)
        let (shared, personal) = (try await configuration(limits), try await configuration(limits, isShared: false))
        let gate = try #require(try await status(shared)?.gate)
        #expect(gate > 0)
        #expect(try await status(shared)?.limits == limits)
        #expect(try await status(personal) == nil)
        let models = try Fixture.models(try TestDatabase.required().database)
        _ = try await models.update(shared, owner: nil) { fields in
            var fields = fields
            fields.limits = ProviderLimits()
            return fields
        }
        #expect(try await status(shared)?.gate == gate)
        #expect(try await status(shared)?.limits == ProviderLimits())
        try await models.delete(shared, owner: nil)
        #expect(try await status(shared)?.gate == gate)
        let store = try store()
        try await store.tidy()
        #expect(try await status(shared)?.gate == gate)
        try await TestDatabase.required().pool.execute(
            "UPDATE providers SET updated_at = now() - interval '2 hours' WHERE model = \(shared)")
        try await store.tidy()
        #expect(try await status(shared) == nil)
    }

    @Test func `the environment's limits are set at each start`() async throws {
        let (first, second): (ModelID, ModelID) = (Fixture.id(), Fixture.id())
        let store = try store()
        try await store.limit([(first, ProviderLimits(requestsPerMinute: 5)), (second, ProviderLimits())])
        #expect(try await status(first)?.limits.requestsPerMinute == 5)
        #expect(try await status(second) == nil)
        try await store.limit([(first, ProviderLimits())])
        #expect(try await status(first)?.limits.isEmpty == true)
    }

    @Test func `the backlog of gates is counted up to a limit over all lanes`() async throws {
        let pool = try TestDatabase.required().pool
        for (lane, gate, count) in [(0, 901, 3), (1, 901, 2), (0, 902, 50)] {
            try await pool.execute(
                """
                INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output)
                SELECT \(Int16(lane)), \(Int16(gate)), n, gen_random_uuid(), 0, 0, 0, false
                FROM generate_series(1, \(Int32(count))) n
                """)
        }
        #expect(try await store().backlog(gates: [901, 902, 903], limit: 10) == [901: 5, 902: 10])
        #expect(try await store().backlog(gates: [], limit: 10).isEmpty)
        try await pool.execute("DELETE FROM ready WHERE gate > 900")
    }
}
