// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs

/// The stream of one run, in the hands of its handler: the single writer of its lease.
package struct RunStream: Sendable {
    /// Under which everything is written.
    package let lease: Lease
    private let publisher: Publisher

    init(lease: Lease, publisher: Publisher) {
        self.lease = lease
        self.publisher = publisher
    }

    /// Gives an event its place and lets it go with the next flush. Waits while too much is unsent, which is how
    /// a slow database slows the provider down instead of filling memory.
    ///
    /// - Throws: ``StreamLost`` when the lease is another's: the run is to end without writing anything.
    package func append(_ event: StreamEvent) async throws(StreamLost) {
        try await publisher.append(event, to: lease)
    }

    /// Takes the stream away from the publisher, after its flush on the wire: what ends the run writes the rest.
    package func take() async -> TakenStream { await publisher.take(lease) }

    /// Forgets the stream; to be called once its run has ended in whatever way.
    package func close() { publisher.close(lease) }
}

/// The lease of a stream is lost, or its stream was taken: nothing more is written for it.
package struct StreamLost: Error, Sendable, Hashable {}
