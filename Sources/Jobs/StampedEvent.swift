// SPDX-License-Identifier: Apache-2.0
package import Chat

/// An event of the log with the time that decides its partition. Chosen once: a repeated write carries the same
/// and so conflicts with itself.
package struct StampedEvent: Sendable, Hashable {
    /// The job it belongs to.
    package let job: JobID
    /// Place, kind and encoded payload.
    package let event: LoggedEvent
    /// By the database's clock as this process knows it.
    package let written: Timestamp

    /// See the properties.
    package init(job: JobID, event: LoggedEvent, written: Timestamp) {
        self.job = job
        self.event = event
        self.written = written
    }

    /// The lease under which it was made.
    package var lease: Lease { Lease(job: job, number: event.cursor.lease) }
}
