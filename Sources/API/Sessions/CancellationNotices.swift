// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence

/// What has to be told to workers once a transaction that cancels jobs has committed.
struct CancellationNotices: Sendable {
    private var lanes: Set<Lane> = []
    private var leases: [Lease] = []

    /// Takes what a cancellation found; jobs that had ended need no notice.
    mutating func add(_ cancellation: Cancellation) {
        switch cancellation {
        case .ended(let wake, _): lanes.formUnion(wake)
        case .requested(let lease): leases.append(lease)
        case .alreadyEnded, .notFound: break
        }
    }

    /// Lost ones do not matter: workers look by themselves.
    func send(to notifier: WakeNotifier) {
        if !lanes.isEmpty { notifier.wake(lanes) }
        for lease in leases { notifier.cancel(lease) }
    }
}
