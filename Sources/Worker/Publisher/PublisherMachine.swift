// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs

/// The publisher without its I/O: gathers the events of all running streams and forms them into flushes.
///
/// One flush is on the wire at a time; what arrives meanwhile gathers and goes with the next, so batches grow
/// with load by themselves. Text deltas that gather are one event. Every event of an open stream is kept until
/// its run ends: a database crash takes back what it had acknowledged asynchronously, and it is written again.
struct PublisherMachine {
    /// Gathered text is cut into events of at most this size, so that most fit a notification inline.
    static let contentLimitBytes = 1024
    /// More events wait for the next flush.
    static let flushLimitEvents = 2000

    /// What one flush carries.
    struct Flush: Sendable {
        /// To be appended and announced, grouped by job.
        var events: [StampedEvent] = []
        /// Stored already by a final transaction, to be announced only.
        var announcements: [StampedEvent] = []

        var isEmpty: Bool { events.isEmpty && announcements.isEmpty }
    }

    private struct Stream {
        let lease: Lease
        var mark: OutputPace.Mark
        var events: [StampedEvent] = []
        /// How many of `events` are stored, as far as is known.
        var acknowledgedCount = 0
        var inFlightCount = 0
        var text = ""
        var hadOutput = false
        var textKind = StreamEventKind.content
        var isDirty = false
        var isLost = false
        /// The database refuses one of its events.
        var isRefused = false
        var isTaken = false
        /// A crash could still take its lease back: nothing of it is shown yet.
        var isHeld = false

        var isClosed: Bool { isLost || isRefused || isTaken }

        var totalBytes = 0
        var acknowledgedBytes = 0

        var pendingBytes: Int { text.utf8.count + totalBytes - acknowledgedBytes }
        var nextSequence: Int32 { Int32(events.count) + 1 }
    }

    private var streams: [JobID: Stream] = [:]
    private var dirty: [JobID] = []
    private var announcements: [StampedEvent] = []
    private var isUrgent = false
    /// A flush failed and the database has not said since what it has.
    private var isUnsure = false
    private(set) var isFlushing = false
    /// How fast the runs give output, since it was last taken.
    var pace = OutputPace()

    /// Whether a flush has anything to carry.
    var hasWork: Bool { !dirty.isEmpty || !announcements.isEmpty }
    /// Whether it may not wait for the interval: a stream's first event or its end.
    var hasUrgentWork: Bool { hasWork && isUrgent }
    var openCount: Int { streams.count }
    var openLeases: [Lease] { streams.values.map(\.lease) }

    /// Bytes of a stream that are not known to be stored; 0 for one that takes no more.
    func pendingBytes(of lease: Lease) -> Int {
        guard let stream = streams[lease.job], stream.lease == lease, !stream.isClosed else { return 0 }
        return stream.pendingBytes
    }

    /// Whether the flush on the wire carries events of the stream.
    func isInFlight(_ lease: Lease) -> Bool {
        streams[lease.job].map { $0.lease == lease && $0.inFlightCount > 0 } ?? false
    }

    /// A job that this process lost and claimed again may have its earlier run still here: that one has lost its lease.
    ///
    /// A held stream gathers, and takes part in no flush before ``release(_:)``.
    mutating func open(_ lease: Lease, at now: Timestamp, isHeld: Bool = false) {
        if let earlier = streams[lease.job] {
            if earlier.lease.number > lease.number { return }
            dirty.removeAll { $0 == lease.job }
        }
        streams[lease.job] = Stream(lease: lease, mark: OutputPace.Mark(at: now))
        streams[lease.job]?.isHeld = isHeld
    }

    /// The stream's lease is durable: what has gathered goes with the next flush, at once.
    mutating func release(_ lease: Lease) {
        guard let stream = streams[lease.job], stream.lease == lease, stream.isHeld else { return }
        streams[lease.job]?.isHeld = false
        guard stream.pendingBytes > 0 else { return }
        markDirty(lease.job)
        isUrgent = true
    }

    /// What became of an appended event.
    enum Appended {
        /// Taken; this many bytes of the stream are not stored yet.
        case pending(bytes: Int)
        /// The lease is lost: nothing more is written for it.
        case lost
    }

    mutating func append(_ event: StreamEvent, to lease: Lease, at now: Timestamp) -> Appended {
        guard let index = streams.index(forKey: lease.job) else { return .lost }
        guard streams.values[index].lease == lease, !streams.values[index].isClosed else { return .lost }
        // A person waits for the first event, and again for the first output after it.
        if Self.append(event, to: &streams.values[index], at: now) { isUrgent = true }
        if event.kind.isOutput { pace.output(of: &streams.values[index].mark, at: now) }
        let pendingBytes = streams.values[index].pendingBytes
        markDirty(lease.job)
        return .pending(bytes: pendingBytes)
    }

    /// - Returns: whether it is the first event, or the first output.
    private static func append(_ event: StreamEvent, to stream: inout Stream, at now: Timestamp) -> Bool {
        let isFirst = stream.events.isEmpty && stream.text.isEmpty || event.kind.isOutput && !stream.hadOutput
        if event.kind.isOutput { stream.hadOutput = true }
        switch event {
        case .content(let text): gather(text, as: .content, into: &stream, at: now)
        case .reasoning(let text): gather(text, as: .reasoning, into: &stream, at: now)
        default:
            sealText(of: &stream, at: now)
            add(event, to: &stream, at: now)
        }
        return isFirst
    }

    /// Tells readers of events that a transaction has stored already.
    mutating func announce(_ events: [StampedEvent]) {
        announcements += events
        isUrgent = true
    }

    /// Forms the next flush, or nil when one is on the wire or there is nothing to send.
    mutating func beginFlush(at now: Timestamp) -> Flush? {
        guard !isFlushing, hasWork else { return nil }
        var flush = Flush()
        flush.announcements = announcements
        announcements = []
        let candidates = dirty
        dirty = []
        isUrgent = false
        for job in candidates {
            guard flush.events.count < Self.flushLimitEvents else {
                dirty.append(job)
                continue
            }
            mutate(job) { stream in
                stream.isDirty = false
                if stream.isClosed { return }
                Self.sealText(of: &stream, at: now)
                let pending = stream.events[stream.acknowledgedCount...]
                stream.inFlightCount = pending.count
                flush.events += pending
            }
        }
        for job in dirty { streams[job]?.isDirty = true }
        if flush.isEmpty { return nil }
        isFlushing = true
        return flush
    }

    /// The flush is stored. Streams of it whose job is not in `live` have lost their lease.
    ///
    /// - Returns: the jobs that are stale since now.
    mutating func acknowledge(_ flush: Flush, live: Set<JobID>) -> [JobID] {
        isFlushing = false
        var lost: [JobID] = []
        for lease in Set(flush.events.map(\.lease)) where streams[lease.job]?.lease == lease {
            let job = lease.job
            mutate(job) { stream in
                if stream.isRefused {
                    // What of it is stored was told with the refusal.
                } else if live.contains(job) {
                    Self.acknowledge(stream.acknowledgedCount + stream.inFlightCount, of: &stream)
                } else if !stream.isLost {
                    stream.isLost = true
                    lost.append(job)
                }
                stream.inFlightCount = 0
            }
        }
        return lost
    }

    /// Nothing is known of the flush: what it carried is pending again, its announcements too.
    mutating func fail(_ flush: Flush) {
        isFlushing = false
        isUnsure = true
        announcements = flush.announcements + announcements
        for lease in Set(flush.events.map(\.lease)) where streams[lease.job]?.lease == lease {
            mutate(lease.job) { $0.inFlightCount = 0 }
            markDirty(lease.job)
        }
    }

    /// An event that the database refuses: only its job fails. What came before it is stored.
    mutating func reject(_ event: StampedEvent) {
        guard streams[event.job]?.lease == event.lease else { return }
        mutate(event.job) { stream in
            stream.isRefused = true
            Self.acknowledge(min(Int(event.event.cursor.sequence) - 1, stream.events.count), of: &stream)
        }
    }

    /// After a new connection: what the database has of each stream decides what is written again, before
    /// anything new and with the same bytes.
    mutating func resynchronize(stored: [Lease: Int32]) {
        isUnsure = false
        for (lease, sequence) in stored {
            guard streams[lease.job]?.lease == lease else { continue }
            mutate(lease.job) { stream in
                Self.acknowledge(min(Int(sequence), stream.events.count), of: &stream)
            }
            markDirty(lease.job)
        }
    }

    /// Takes the stream away from the publisher for the transaction that ends its run.
    ///
    /// - Returns: nil while a flush that carries events of it is on the wire: ask again after it.
    mutating func take(_ lease: Lease, at now: Timestamp) -> TakenStream? {
        guard let stream = streams[lease.job], stream.lease == lease else {
            return TakenStream.lost(lease)
        }
        if stream.inFlightCount > 0 { return nil }
        mutate(lease.job) { stream in
            Self.sealText(of: &stream, at: now)
            stream.isTaken = true
        }
        return streams[lease.job].map { stream in
            TakenStream(
                lease: lease, events: stream.events, acknowledgedCount: isUnsure ? 0 : stream.acknowledgedCount,
                isLost: stream.isLost, isRefused: stream.isRefused)
        }
    }

    /// Forgets a stream whose run has ended.
    mutating func close(_ lease: Lease) {
        guard streams[lease.job]?.lease == lease else { return }
        streams[lease.job] = nil
        dirty.removeAll { $0 == lease.job }
    }

    /// Streams are values in a dictionary: updated in place, never copied out. A closed one is passed over.
    private mutating func mutate(_ job: JobID, _ body: (inout Stream) -> Void) {
        guard let index = streams.index(forKey: job) else { return }
        body(&streams.values[index])
    }

    private static func acknowledge(_ count: Int, of stream: inout Stream) {
        let range = min(count, stream.acknowledgedCount)..<max(count, stream.acknowledgedCount)
        let bytes = stream.events[range].reduce(0) { $0 + $1.event.data.count }
        stream.acknowledgedBytes += count >= stream.acknowledgedCount ? bytes : -bytes
        stream.acknowledgedCount = count
    }

    private mutating func markDirty(_ job: JobID) {
        guard let stream = streams[job], !stream.isDirty, !stream.isHeld else { return }
        streams[job]?.isDirty = true
        dirty.append(job)
    }

    private static func gather(_ text: String, as kind: StreamEventKind, into stream: inout Stream, at now: Timestamp) {
        if text.isEmpty { return }
        if stream.textKind != kind || stream.text.utf8.count + text.utf8.count > contentLimitBytes {
            sealText(of: &stream, at: now)
        }
        stream.textKind = kind
        stream.text += text
    }

    private static func sealText(of stream: inout Stream, at now: Timestamp) {
        guard !stream.text.isEmpty else { return }
        let text = stream.text
        stream.text = ""
        add(stream.textKind == .reasoning ? .reasoning(text) : .content(text), to: &stream, at: now)
    }

    private static func add(_ event: StreamEvent, to stream: inout Stream, at now: Timestamp) {
        let cursor = StreamCursor(lease: stream.lease.number, sequence: stream.nextSequence)
        let stamped = StampedEvent(job: stream.lease.job, event: LoggedEvent(event, at: cursor), written: now)
        stream.events.append(stamped)
        stream.totalBytes += stamped.event.data.count
    }
}
