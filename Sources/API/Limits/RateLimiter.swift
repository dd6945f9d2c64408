// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Observability
package import Persistence
package import Runtime
import Synchronization

/// Holds requests to the limits that all API processes share.
///
/// Permits are drawn from counters in the database, some at a time, and used from memory; see ``PermitBook``. Requests
/// that find none wait for a draw; while one is under way, the next gathers all that come, whatever their buckets, into
/// one statement. Attempts to log in are drawn one by one: they are few, and cost a password's hash anyway.
///
/// Cost, in a debug build on a busy machine: 12 µs where there are permits, 460 µs for a request that draws by itself,
/// 49 µs each for 3000 people who come at once, in two statements. Considered and left: a statement for each request,
/// which is simpler and makes every request one of 460 µs; and a logged table with asynchronous commit, which costs the
/// server the same 60 µs a draw (220 when it waits for the disk), but writes WAL for what nobody needs after a crash.
///
/// Concurrency: any task. A service: draws are made while it runs.
package final class RateLimiter: Service {
    /// What became of a request.
    struct Verdict: Sendable {
        let quota: RateLimitQuota
        /// `nil` when it may go on.
        let refusedBy: RateLimitBucket.Kind?
    }

    private struct Waiter {
        let user: UserID?
        let address: RateLimitBucket
        let arrived: ContinuousClock.Instant
        let answer: CheckedContinuation<Result<Verdict, APIError>, Never>
    }

    private struct Round {
        var verdicts: [(Waiter, Verdict)] = []
        var waiting: [Waiter] = []
        var draws: [RateLimitDraw] = []
        var window: RateLimitWindow
    }

    /// Of attempts: an address may make so many times those of one account over all accounts together.
    static let attemptsOverAllAccounts = 10
    /// Each round gives every waiter's bucket at least one permit, so this is far beyond what it takes.
    private static let maximumRounds = 256

    /// For the log.
    package let name = "rate-limiter"
    private let store: RateLimitStore
    private let settings: SettingsStore
    private let now: @Sendable () -> Timestamp
    private let patience: Duration
    private let metrics: RateLimitMetrics
    private let book: Mutex<PermitBook>
    /// Full, it refuses: 503.
    private let line = BoundedChannel<Waiter>(capacity: 4096)

    /// - Parameters:
    ///   - store: the counters.
    ///   - settings: the limits in force.
    ///   - now: the database's time, by which windows turn.
    ///   - capacity: buckets that are remembered; some 100 bytes each.
    ///   - patience: for a connection and a statement; then a request is answered with 503.
    ///   - metrics: what was refused and drawn.
    package init(
        store: RateLimitStore, settings: SettingsStore, now: @escaping @Sendable () -> Timestamp,
        capacity: Int = 100_000, patience: Duration = .seconds(5), metrics: MetricsRegistry
    ) {
        self.store = store
        self.settings = settings
        self.now = now
        self.patience = patience
        self.metrics = RateLimitMetrics(metrics)
        book = Mutex(PermitBook(capacity: capacity))
    }

    /// Serves those who wait until shut down, and then the last of them.
    package func run(_ shutdown: ShutdownSignal) async throws {
        let number = shutdown.onTrigger { self.line.finish() }
        while case let batch = await line.nextBatch(), !batch.isEmpty { await serve(batch) }
        shutdown.forget(number)
        // Cancelled, perhaps: nobody is taken in any more, and nobody is left behind.
        line.finish()
        while case let batch = await line.nextBatch(), !batch.isEmpty { await serve(batch) }
    }

    /// Counts a request of a person, who may be nobody, and of an address.
    /// - Throws: `unavailable` when the counters cannot be reached.
    func check(user: UserID?, address: RateLimitBucket) async throws(APIError) -> Verdict {
        if let verdict = takeAtOnce(user, address) { return verdict }
        let arrived = ContinuousClock.now
        let result = await withContinuation { answer in
            let waiter = Waiter(user: user, address: address, arrived: arrived, answer: answer)
            switch line.send(waiter) {
            case .accepted: break
            case .full, .finished:
                answer.resume(returning: .failure(.unavailable(cause: "the rate limiter takes no more requests")))
            }
        }
        return try result.get()
    }

    /// Whether an address is known to be over its limit; counts nothing.
    func knownRefusal(of address: RateLimitBucket) -> Verdict? {
        let (settings, now) = (settings.current, now())
        let demand = PermitBook.Demand(bucket: address, maximum: settings.rateLimitIPMax)
        let outcome = book.withLock { book in
            book.turn(to: now, length: settings.rateLimitWindow)
            return book.refusal(demand, at: now)
        }
        return outcome.flatMap(verdict)
    }

    /// Counts an attempt to log in: by address and account together, so that nobody can shut another out of an account
    /// from elsewhere; and, ten times as many, by address alone, against trying one password on many accounts.
    /// Exact. `attempt` and `address` name the two.
    /// - Throws: `unavailable` when the counters cannot be reached.
    func checkAttempt(_ attempt: RateLimitBucket, from address: RateLimitBucket) async throws(APIError) -> Verdict {
        let (settings, now) = (settings.current, now())
        let window = RateLimitWindow(containing: now, length: settings.rateLimitWindow)
        let draws = [
            RateLimitDraw(attempt, maximum: settings.authRateLimitMax, wanted: 1),
            RateLimitDraw(
                RateLimitBucket(.attempts, high: address.high, low: address.low),
                maximum: settings.authRateLimitMax * Self.attemptsOverAllAccounts, wanted: 1),
        ]
        let grants = try await draw(draws, in: window, deadline: .now + patience)
        let reset = window.remaining(at: now)
        let quotas = draws.map { draw in
            RateLimitQuota(
                limit: Int(draw.maximum), remaining: grants[draw.bucket].map { Int(draw.maximum) - $0.used } ?? 0,
                reset: reset)
        }
        if let index = draws.firstIndex(where: { grants[$0.bucket] == nil }) {
            metrics.refused(draws[index].bucket.kind)
            return Verdict(quota: quotas[index], refusedBy: draws[index].bucket.kind)
        }
        return Verdict(quota: RateLimitQuota.tighter(quotas[0], quotas[1]), refusedBy: nil)
    }
}

extension RateLimiter {
    private func takeAtOnce(_ user: UserID?, _ address: RateLimitBucket) -> Verdict? {
        let (settings, now) = (settings.current, now())
        let demands = Self.demands(user, address, settings)
        let outcome = book.withLock { book in
            book.turn(to: now, length: settings.rateLimitWindow)
            return book.take(demands, at: now)
        }
        return verdict(outcome)
    }

    /// Draws and lets go on who can, until nobody waits.
    private func serve(_ batch: [Waiter]) async {
        var round = settle(batch)
        for _ in 0..<Self.maximumRounds {
            for (waiter, verdict) in round.verdicts { waiter.answer.resume(returning: .success(verdict)) }
            guard let first = round.waiting.first else { return }
            do throws(APIError) {
                let grants = try await draw(
                    round.draws, in: round.window, deadline: first.arrived + patience)
                round = settle(round.waiting, crediting: grants, of: round)
            } catch {
                for waiter in round.waiting { waiter.answer.resume(returning: .failure(error)) }
                return
            }
        }
        for (waiter, verdict) in round.verdicts { waiter.answer.resume(returning: .success(verdict)) }
        for waiter in round.waiting {
            waiter.answer.resume(returning: .failure(.unavailable(cause: "a rate limit is contended")))
        }
    }

    /// Within one lock, so that nobody who comes later takes what was drawn for these.
    private func settle(
        _ waiting: [Waiter], crediting grants: [RateLimitBucket: RateLimitGrant] = [:], of last: Round? = nil
    ) -> Round {
        let (settings, now) = (settings.current, now())
        return book.withLock { book in
            var round = Round(window: book.turn(to: now, length: settings.rateLimitWindow))
            if let last { for draw in last.draws { book.credit(draw, grants[draw.bucket], in: last.window) } }
            var wanted: [PermitBook.Demand: Int] = [:]
            for waiter in waiting {
                let demands = Self.demands(waiter.user, waiter.address, settings)
                if let verdict = verdict(book.take(demands, at: now)) {
                    round.verdicts.append((waiter, verdict))
                } else {
                    round.waiting.append(waiter)
                    for demand in demands { wanted[demand, default: 0] += 1 }
                }
            }
            book.trim()
            round.draws = wanted.compactMap { book.draw($0, waiting: $1) }
            return round
        }
    }

    private func draw(
        _ draws: [RateLimitDraw], in window: RateLimitWindow, deadline: ContinuousClock.Instant
    ) async throws(APIError) -> [RateLimitBucket: RateLimitGrant] {
        metrics.draws.increment()
        do throws(PersistenceError) {
            return try await store.draw(draws, in: window, deadline: deadline)
        } catch {
            throw APIError(error)
        }
    }

    private func verdict(_ outcome: PermitBook.Outcome) -> Verdict? {
        switch outcome {
        case .admitted(let quota): return Verdict(quota: quota, refusedBy: nil)
        case .refused(let kind, let quota):
            metrics.refused(kind)
            return Verdict(quota: quota, refusedBy: kind)
        case .short: return nil
        }
    }

    private static func demands(
        _ user: UserID?, _ address: RateLimitBucket, _ settings: SystemSettings
    ) -> [PermitBook.Demand] {
        let byAddress = PermitBook.Demand(bucket: address, maximum: settings.rateLimitIPMax)
        guard let user else { return [byAddress] }
        return [PermitBook.Demand(bucket: RateLimitBucket(user: user), maximum: settings.rateLimitMax), byAddress]
    }
}
