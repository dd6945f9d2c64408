// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPServer
import Jobs
import Observability
import Persistence

extension StreamHub {
    func add(
        _ job: WatchedJob, after cursor: StreamCursor, _ known: [LoggedEvent], _ writer: EventStreamWriter,
        _ transform: FrameTransform?
    ) {
        guard !hasStopped else {
            forgetIfUnwatched(job)
            return writer.finish()
        }
        lastNumber += 1
        let number = lastNumber
        let subscriber = Subscriber(
            number: number, job: job, writer: writer, transform: transform, after: cursor, now: .now)
        subscribers[number] = subscriber
        job.add(subscriber)
        metrics.subscribers.increment()
        writer.onClose { [weak self] in self?.onLoop { $0.closed(number) } }
        guard known.isEmpty else { return begin(subscriber, with: known) }
        // With the first read: a finished job's stream ends at once.
        checkEnd(of: job)
        wantRead(subscriber)
    }

    /// As if the known events had been read. What a fast worker has said before the reader was here is missing, and
    /// is found with the next event, or by a read that is soon due.
    private func begin(_ subscriber: Subscriber, with known: [LoggedEvent]) {
        subscriber.readDue = .now + timing.tickInterval
        if let last = known.last { subscriber.job.wait.saw(last.kind, at: last.cursor) }
        subscriber.machine.readBegan()
        let step = subscriber.machine.read(
            known.map { RelayedEvent($0) }, isFull: false, hasEnded: false,
            bufferedBytes: subscriber.writer.bufferedBytes)
        take(step, subscriber)
    }

    func watched(_ id: JobID, _ session: SessionID? = nil, _ state: JobState? = nil) -> WatchedJob {
        let job = jobs[id] ?? WatchedJob(id, state: state, heardAt: .now)
        job.wait.learned(state)
        // What it was before a retry by hand, perhaps; who comes has looked later.
        if let state, !state.isEnd { job.hasEnded = false }
        jobs[id] = job
        connect(job, to: session)
        return job
    }

    /// A payload of the channel: events of many jobs, most of them watched elsewhere.
    func heard(_ payload: String) {
        let now = ContinuousClock.now
        let malformed = StreamNotification.decode(payload, wants: { jobs[$0] != nil }) { arrival in
            guard let job = jobs[arrival.job] else { return }
            job.heardAt = now
            deliver(arrival, to: job)
        }
        if malformed > 0 { metrics.malformed.increment(by: malformed) }
    }

    /// A payload of the channel of sessions: changes of many, most of them watched elsewhere.
    func heardSessions(_ payload: String) {
        let malformed = SessionNotification.decode(
            payload, isWatched: { id in jobsOfSession[id] != nil || sessions.assumeIsolated { $0.isWatched(id) } }
        ) { change in
            if case .title(let title) = change.kind { titled(change.session, title) }
            sessions.assumeIsolated { $0.heard(change) }
        }
        if malformed > 0 { metrics.malformed.increment(by: malformed) }
    }

    private func deliver(_ arrival: StreamNotification.Arrival, to job: WatchedJob) {
        if arrival.kind?.isTerminal == true { release(job, .ended) }
        job.wait.saw(arrival.kind, at: arrival.cursor)
        if arrival.kind == .queued, job.hasEnded {
            // It is tried again by hand: a reader that has not come to the end yet is not to be ended there.
            job.hasEnded = false
            checkEnd(of: job)
        }
        guard !job.subscribers.isEmpty else { return }
        if let kind = arrival.kind, let data = arrival.data {
            let event = RelayedEvent(LoggedEvent(cursor: arrival.cursor, kind: kind, data: data))
            for subscriber in job.subscribers {
                let step = subscriber.machine.heard(event, bufferedBytes: subscriber.writer.bufferedBytes)
                take(step, event, subscriber)
            }
        } else {
            for subscriber in job.subscribers where subscriber.machine.heardPointer(arrival.cursor) == .read {
                wantRead(subscriber)
            }
        }
    }

    private func take(_ step: SubscriberMachine.Step, _ event: RelayedEvent, _ subscriber: Subscriber) {
        switch step {
        case .ignore: break
        case .send: send([event], to: subscriber)
        case .sendLast:
            send([event], to: subscriber)
            finish(subscriber)
        case .read:
            metrics.gaps.increment()
            wantRead(subscriber)
        case .awaitDrain(let belowBytes): awaitDrain(subscriber, belowBytes)
        }
    }

    func take(_ step: SubscriberMachine.PageStep, _ subscriber: Subscriber) {
        if !step.events.isEmpty { send(step.events, to: subscriber) }
        begin(subscriber)
        switch step.next {
        case .nothing: if subscriber.machine.phase == .waiting { subscriber.waitingSince = .now }
        case .read: wantRead(subscriber)
        case .finish: finish(subscriber)
        case .awaitDrain(let belowBytes): awaitDrain(subscriber, belowBytes)
        }
    }

    private func send(_ events: [RelayedEvent], to subscriber: Subscriber) {
        let bytes: [UInt8]
        if let transform = subscriber.transform {
            bytes = events.flatMap { transform($0.event) }
        } else if events.count == 1 {
            bytes = events[0].frame
        } else {
            bytes = Array(events.lazy.map(\.frame).joined())
        }
        metrics.frames.increment(by: events.count)
        if let last = events.last { subscriber.notices.sent(last.event) }
        if !bytes.isEmpty, !subscriber.writer.send(bytes) { drop(subscriber) }
    }

    private func awaitDrain(_ subscriber: Subscriber, _ belowBytes: Int) {
        metrics.overflows.increment()
        let number = subscriber.number
        subscriber.writer.onDrained(below: belowBytes) { [weak self] in self?.onLoop { $0.drained(number) } }
    }

    private func drained(_ number: UInt64) {
        guard let subscriber = subscribers[number], subscriber.machine.drained() else { return }
        wantRead(subscriber)
    }

    private func closed(_ number: UInt64) {
        if let subscriber = subscribers[number] { drop(subscriber) }
    }

    private func finish(_ subscriber: Subscriber) {
        subscriber.writer.finish()
        drop(subscriber)
    }

    /// Forgets a reader; harmless when it is forgotten already.
    func drop(_ subscriber: Subscriber) {
        guard !subscriber.isGone else { return }
        subscriber.isGone = true
        subscribers[subscriber.number] = nil
        subscriber.job.remove(subscriber)
        metrics.subscribers.decrement()
        forgetIfUnwatched(subscriber.job)
    }

    func forgetIfUnwatched(_ job: WatchedJob) {
        guard job.isUnwatched else { return }
        jobs[job.id] = nil
        endsToCheck.remove(job.id)
        standingsToCheck.remove(job.id)
        disconnect(job)
    }
}
