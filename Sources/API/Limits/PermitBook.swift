// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence

/// What this process has drawn from the shared counters and not yet used: who may go on, who may not, and who has to
/// wait for a draw. Pure of any I/O and clock.
///
/// The counters in the database are the truth and only ever count up within a window, so nothing here can let anyone
/// do more than the limit: a bucket that is used up stays so until the window ends, and what is forgotten is drawn
/// again or refused there. Permits that a process holds when it ends, or when a limit is changed, are lost for the
/// rest of the window.
struct PermitBook: Sendable {
    /// One limit that a request has to keep.
    struct Demand: Sendable, Hashable {
        let bucket: RateLimitBucket
        let maximum: Int
    }

    /// What becomes of a request.
    enum Outcome: Sendable, Hashable {
        /// It has used a permit of each of its buckets.
        case admitted(RateLimitQuota)
        /// It has used none: this bucket is used up.
        case refused(RateLimitBucket.Kind, RateLimitQuota)
        /// It has used none: a bucket has to be drawn from.
        case short
    }

    private struct Account {
        let maximum: Int
        /// Drawn by all processes, as of this one's last draw.
        var used = 0
        /// Of those, what this process still has.
        var permits = 0

        var isUsedUp: Bool { permits == 0 && used >= maximum }
        var remaining: Int { max(0, maximum - used) + permits }
    }

    private let capacity: Int
    private var accounts: [RateLimitBucket: Account] = [:]
    private var overflow: [RateLimitBucket] = []
    private(set) var window: RateLimitWindow?

    /// - Parameter capacity: buckets that are remembered in a window. Those beyond are counted one by one in the
    ///   database: nothing is driven out, so nobody's permits can be lost by the doing of others.
    init(capacity: Int) { self.capacity = capacity }

    /// How many buckets are remembered.
    var count: Int { accounts.count }

    /// The window of a moment; when it is a new one, all that was drawn in the last is void. A clock that was set back
    /// by less than a window does not bring the last one back.
    @discardableResult
    mutating func turn(to now: Timestamp, length: Duration) -> RateLimitWindow {
        let current = RateLimitWindow(containing: now, length: length)
        if let window {
            if current == window { return window }
            if current.length == window.length, current.start < window.start, current.end >= window.start {
                return window
            }
        }
        window = current
        accounts.removeAll(keepingCapacity: true)
        overflow.removeAll()
        return current
    }

    /// Uses a permit of each bucket, or of none. The window must be that of `now`.
    mutating func take(_ demands: [Demand], at now: Timestamp) -> Outcome {
        let reset = window?.remaining(at: now) ?? .zero
        var isShort = false
        for demand in demands {
            guard let account = account(demand) else {
                isShort = true
                continue
            }
            if account.isUsedUp { return Self.refusal(demand, reset) }
            if account.permits == 0 { isShort = true }
        }
        if isShort { return .short }
        var quota: RateLimitQuota?
        for demand in demands {
            accounts[demand.bucket]?.permits -= 1
            let own = RateLimitQuota(
                limit: demand.maximum, remaining: accounts[demand.bucket]?.remaining ?? 0, reset: reset)
            quota = quota.map { RateLimitQuota.tighter($0, own) } ?? own
        }
        return .admitted(quota ?? RateLimitQuota(limit: 0, remaining: 0, reset: reset))
    }

    /// Whether a bucket is known to be used up, without using anything.
    func refusal(_ demand: Demand, at now: Timestamp) -> Outcome? {
        guard let window, account(demand)?.isUsedUp == true else { return nil }
        return Self.refusal(demand, window.remaining(at: now))
    }

    /// What to draw so that so many requests can go on: nothing while there are permits. For a bucket that will be
    /// remembered some to spare, which saves the next requests the way to the database: 16, or a sixty-fourth of a
    /// large limit.
    func draw(_ demand: Demand, waiting: Int) -> RateLimitDraw? {
        let account = account(demand)
        if let account, account.permits > 0 || account.isUsedUp { return nil }
        let hasRoom = account != nil || accounts.count < capacity
        let spare = hasRoom ? max(16, demand.maximum / 64) - 1 : 0
        return RateLimitDraw(demand.bucket, maximum: demand.maximum, wanted: waiting + spare)
    }

    /// Enters what was drawn in a window; of one that is over it is void. No grant means that the bucket is used up.
    mutating func credit(_ draw: RateLimitDraw, _ grant: RateLimitGrant?, in window: RateLimitWindow) {
        guard window == self.window else { return }
        let demand = Demand(bucket: draw.bucket, maximum: Int(draw.maximum))
        if account(demand) == nil {
            if accounts[draw.bucket] == nil, accounts.count >= capacity { overflow.append(draw.bucket) }
            accounts[draw.bucket] = Account(maximum: demand.maximum)
        }
        accounts[draw.bucket]?.used = grant?.used ?? demand.maximum
        accounts[draw.bucket]?.permits += grant?.granted ?? 0
    }

    /// Forgets what there is no room for, once those who waited for it have been served.
    mutating func trim() {
        for bucket in overflow { accounts[bucket] = nil }
        overflow.removeAll()
    }

    /// Drawn under another limit, it does not count: the limit was changed.
    private func account(_ demand: Demand) -> Account? {
        guard let account = accounts[demand.bucket], account.maximum == demand.maximum else { return nil }
        return account
    }

    private static func refusal(_ demand: Demand, _ reset: Duration) -> Outcome {
        .refused(demand.bucket.kind, RateLimitQuota(limit: demand.maximum, remaining: 0, reset: reset))
    }
}
