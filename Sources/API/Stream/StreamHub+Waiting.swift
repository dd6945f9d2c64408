// SPDX-License-Identifier: Apache-2.0
package import Chat
import Runtime

extension StreamHub {
    /// Why a wait is over.
    package enum EndOfWait: Sendable, Hashable {
        /// The job has ended: its outcome is stored.
        case ended
        /// It has not by the deadline.
        case deadlinePassed
        /// The waiting task was cancelled.
        case cancelled
        /// This process leaves; the job goes on.
        case stopped
    }

    /// Waits for a job's end without asking for it again and again: the last event wakes, and only when that was lost
    /// the sweep does.
    package func waitForEnd(of id: JobID, deadline: ContinuousClock.Instant) async -> EndOfWait {
        guard !hasStopped else { return .stopped }
        lastNumber += 1
        let number = lastNumber
        return await withTaskCancellationHandler {
            await withContinuation { continuation in
                if Task.isCancelled { return continuation.resume(returning: .cancelled) }
                if let job = jobs[id], job.hasEnded { return continuation.resume(returning: .ended) }
                let job = watched(id)
                let timer = loop.schedule(at: deadline) { [weak self] in
                    self?.assumeIsolated { $0.release(id, number, .deadlinePassed) }
                }
                job.waiters[number] = EndWaiter(continuation: continuation, timer: timer)
                // It may have ended before.
                checkEnd(of: job)
            }
        } onCancel: {
            onLoop { $0.release(id, number, .cancelled) }
        }
    }

    /// Wakes everyone who waits for a job.
    func release(_ job: WatchedJob, _ reason: EndOfWait) {
        guard !job.waiters.isEmpty else { return }
        let waiters = job.waiters
        job.waiters = [:]
        for waiter in waiters.values {
            loop.cancel(waiter.timer)
            waiter.continuation.resume(returning: reason)
        }
        forgetIfUnwatched(job)
    }

    private func release(_ id: JobID, _ number: UInt64, _ reason: EndOfWait) {
        guard let job = jobs[id], let waiter = job.waiters.removeValue(forKey: number) else { return }
        loop.cancel(waiter.timer)
        waiter.continuation.resume(returning: reason)
        forgetIfUnwatched(job)
    }
}
