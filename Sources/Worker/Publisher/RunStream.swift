// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
import Synchronization

/// The stream of one run, in the hands of its handler: the single writer of its lease.
///
/// The publisher hears of it with its first event, unless it was made open: most jobs of the background show nothing,
/// and what they cost less is what more of them run.
package final class RunStream: Sendable {
    private enum Phase: UInt8, AtomicRepresentable {
        case unopened, open, over
    }

    /// Under which everything is written.
    package let lease: Lease
    private let publisher: Publisher
    private let phase: Atomic<Phase>

    init(lease: Lease, publisher: Publisher, isOpen: Bool) {
        self.lease = lease
        self.publisher = publisher
        phase = Atomic(isOpen ? .open : .unopened)
    }

    /// Gives an event its place and lets it go with the next flush. Waits while too much is unsent, which is how
    /// a slow database slows the provider down instead of filling memory.
    ///
    /// - Throws: ``StreamLost`` when the lease is another's: the run is to end without writing anything.
    package func append(_ event: StreamEvent) async throws(StreamLost) {
        if phase.load(ordering: .relaxed) == .unopened {
            phase.store(.open, ordering: .relaxed)
            publisher.begin(lease)
        }
        try await publisher.append(event, to: lease)
    }

    /// Takes the stream away from the publisher, after its flush on the wire: what ends the run writes the rest.
    package func take() async -> TakenStream {
        let (isUnused, _) = phase.compareExchange(expected: .unopened, desired: .over, ordering: .relaxed)
        return isUnused ? .unused(lease) : await publisher.take(lease)
    }

    /// Forgets the stream; to be called once its run has ended in whatever way.
    package func close() {
        if phase.exchange(.over, ordering: .relaxed) == .open { publisher.close(lease) }
    }
}

/// The lease of a stream is lost, or its stream was taken: nothing more is written for it.
package struct StreamLost: Error, Sendable, Hashable {}
