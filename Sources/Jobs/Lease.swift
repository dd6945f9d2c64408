// SPDX-License-Identifier: Apache-2.0
package import Chat

/// The right to write for a running job, and the fence of every such write: it holds while the queue still has
/// exactly this job and number as running.
package struct Lease: Sendable, Hashable {
    /// The job that runs.
    package let job: JobID
    /// Rises with every claim of the job, also over failovers and clock steps.
    package let number: Int64

    /// See the properties.
    package init(job: JobID, number: Int64) {
        self.job = job
        self.number = number
    }
}
