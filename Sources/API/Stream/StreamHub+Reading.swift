// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPServer
import Jobs
import Observability
import Persistence
import Runtime

extension StreamHub {
    /// One statement's worth of reads.
    private struct Batch {
        var positions: [EventLogReader.Position] = []
        /// Who stands at each position.
        var readers: [[Subscriber]] = []
        /// Whether the job had ended before the read began.
        var hasEnded: [Bool] = []
        var endsToCheck: [JobID] = []
        var standingsToCheck: [JobID] = []

        var limitEach: Int { min(256, max(16, 4096 / max(1, positions.count))) }
    }

    private static let maxPositions = 1024

    func wantRead(_ subscriber: Subscriber) {
        guard !subscriber.isGone, !subscriber.isInLine else { return }
        subscriber.isInLine = true
        line.append(subscriber)
        signalRead()
    }

    /// A full channel has been told already.
    func signalRead() { _ = readWanted.send(()) }

    /// Reads for whoever wants it, one statement at a time: what gathers meanwhile is the next one.
    func readUntilStopped() async {
        while await !readWanted.nextBatch().isEmpty {
            while let batch = takeBatch() {
                metrics.reads.increment()
                do throws(PersistenceError) {
                    let pages = try await log.pages(
                        after: batch.positions, endsOf: batch.endsToCheck, standingsOf: batch.standingsToCheck,
                        limitEach: batch.limitEach, deadline: .now + timing.readTimeout)
                    hasReadFailed = false
                    complete(batch, pages)
                } catch {
                    fail(batch, error)
                    // The next tick tries again.
                    break
                }
            }
        }
    }

    /// Watched jobs that were silent are looked up, and gaps that have waited.
    func sweep(now: ContinuousClock.Instant) {
        let interval = isListening ? timing.sweepInterval : timing.deafSweepInterval
        for job in jobs.values {
            if now - job.heardAt >= interval {
                sweep(job, now)
            } else {
                for subscriber in job.subscribers
                where subscriber.isDue(now, interval) {
                    if subscriber.machine.sweep() { wantRead(subscriber) }
                }
            }
        }
        // What a failed read left behind.
        if !line.isEmpty || !endsToCheck.isEmpty { signalRead() }
    }

    /// The listener hears again: whatever was said meanwhile is in the log.
    func sweepAll() {
        let now = ContinuousClock.now
        for job in jobs.values { sweep(job, now) }
    }

    private func sweep(_ job: WatchedJob, _ now: ContinuousClock.Instant) {
        job.heardAt = now
        metrics.sweptJobs.increment()
        checkEnd(of: job)
        job.wait.fellSilent()
        if job.wait.mayWait, job.subscribers.contains(where: { $0.transform == nil }) {
            standingsToCheck.insert(job.id)
        }
        for subscriber in job.subscribers where subscriber.machine.sweep() { wantRead(subscriber) }
    }

    func checkEnd(of job: WatchedJob) {
        guard !job.hasEnded else { return }
        endsToCheck.insert(job.id)
        signalRead()
    }

    /// Why nothing comes of a job, if it waits.
    func checkStanding(of id: JobID) {
        guard let job = jobs[id], !job.hasEnded else { return }
        standingsToCheck.insert(id)
        signalRead()
    }

    private func takeBatch() -> Batch? {
        var batch = Batch()
        var places: [EventLogReader.Position: Int] = [:]
        var left: [Subscriber] = []
        for subscriber in line where !subscriber.isGone {
            let position = EventLogReader.Position(job: subscriber.job.id, cursor: subscriber.machine.cursor)
            if let place = places[position] {
                batch.readers[place].append(subscriber)
            } else if batch.positions.count < Self.maxPositions {
                places[position] = batch.positions.count
                batch.positions.append(position)
                batch.readers.append([subscriber])
                batch.hasEnded.append(subscriber.job.hasEnded)
            } else {
                left.append(subscriber)
                continue
            }
            subscriber.isInLine = false
            subscriber.readDue = nil
            subscriber.machine.readBegan()
        }
        line = left
        while batch.endsToCheck.count < Self.maxPositions, let job = endsToCheck.popFirst() {
            batch.endsToCheck.append(job)
        }
        while batch.standingsToCheck.count < Self.maxPositions, let job = standingsToCheck.popFirst() {
            batch.standingsToCheck.append(job)
        }
        let isEmpty = batch.positions.isEmpty && batch.endsToCheck.isEmpty && batch.standingsToCheck.isEmpty
        return isEmpty ? nil : batch
    }

    private func complete(_ batch: Batch, _ result: EventLogPages) {
        for (place, page) in result.pages.enumerated() {
            let hasEnded = batch.hasEnded[place] || result.ended.contains(batch.positions[place].job)
            let events = page.map { RelayedEvent($0) }
            let isFull = page.count >= batch.limitEach
            if let last = page.last, let job = jobs[batch.positions[place].job] {
                job.wait.saw(last.kind, at: last.cursor)
            }
            for subscriber in batch.readers[place] where !subscriber.isGone {
                let step = subscriber.machine.read(
                    events, isFull: isFull, hasEnded: hasEnded, bufferedBytes: subscriber.writer.bufferedBytes)
                take(step, subscriber)
            }
        }
        found(result.waiting, among: batch.standingsToCheck)
        for id in result.ended {
            guard let job = jobs[id] else { continue }
            job.hasEnded = true
            release(job, .ended)
            // Who was not in this read is told by the next that there is no more.
            for subscriber in job.subscribers where subscriber.machine.sweep() { wantRead(subscriber) }
        }
    }

    private func fail(_ batch: Batch, _ error: PersistenceError) {
        if !hasReadFailed, error.code != .cancelled {
            hasReadFailed = true
            logger.warning("the log cannot be read", [.errorCode: .string(error.label)])
        }
        for subscriber in batch.readers.joined() where !subscriber.isGone {
            subscriber.machine.readFailed()
            guard !subscriber.isInLine else { continue }
            subscriber.isInLine = true
            line.append(subscriber)
        }
        endsToCheck.formUnion(batch.endsToCheck.filter { jobs[$0] != nil })
        standingsToCheck.formUnion(batch.standingsToCheck.filter { jobs[$0] != nil })
    }
}
