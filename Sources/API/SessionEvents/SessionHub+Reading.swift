// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPServer
import Observability
import Persistence
import Runtime

extension SessionHub {
    /// One round trip's worth of reads.
    private struct Batch {
        var sessions: [WatchedSession] = []
        var items: [(session: WatchedSession, message: MessageID, version: Int64)] = []

        var isEmpty: Bool { sessions.isEmpty && items.isEmpty }
    }

    private static let maxSessions = 1024
    /// Of a mebibyte each at most.
    private static let maxMessages = 16

    /// Reads for whoever wants it, one statement at a time: what gathers meanwhile is the next one.
    func readUntilStopped() async {
        while await !readWanted.nextBatch().isEmpty {
            do throws(PersistenceError) {
                if wantsComparison { try await compare() }
                while case let batch = takeBatch(), !batch.isEmpty { try await read(batch) }
                hasReadFailed = false
            } catch {
                // The next tick tries again.
                if !hasReadFailed, error.code != .cancelled {
                    hasReadFailed = true
                    logger.warning("watched sessions cannot be read", [.errorCode: .string(error.label)])
                }
            }
        }
    }

    /// Looks who has missed something for too long, and whether it is time to compare.
    func tick(isListening: Bool, now: ContinuousClock.Instant) {
        if !sessions.isEmpty {
            let interval =
                isListening ? timing.compareInterval : min(timing.compareInterval, timing.deafCompareInterval)
            if now - lastComparison >= interval {
                lastComparison = now
                wantsComparison = true
            }
            let grace = isListening ? timing.missingGrace : .zero
            for session in sessions.values
            where session.versions.isMissing(for: grace, now: now)
                && session.viewers.contains(where: { $0.machine.phase != .stalled })
            {
                metrics.gaps.increment()
                // Found missing anew if the snapshot does not help.
                session.versions.forget()
                resnapshot(session)
            }
        }
        // Also what a failed read left behind.
        if wantsComparison || !wantingSnapshot.isEmpty || !wantingMessages.isEmpty { signalRead() }
    }

    /// The last notification can be the lost one: one statement tells for all who is behind.
    private func compare() async throws(PersistenceError) {
        let watched = Array(sessions.values)
        guard !watched.isEmpty else { return wantsComparison = false }
        let seen = watched.map(\.versions.seen)
        metrics.comparisons.increment()
        let versions = try await reader.versions(
            of: watched.map(\.place), deadline: .now + timing.readTimeout)
        wantsComparison = false
        let now = ContinuousClock.now
        for (index, session) in watched.enumerated() where sessions[session.id] === session {
            guard let version = versions[index] else {
                end(session)
                continue
            }
            if session.versions.compared(version, seenBefore: seen[index], now: now) {
                metrics.gaps.increment()
                session.versions.forget()
                resnapshot(session)
            }
        }
    }

    private func takeBatch() -> Batch {
        var batch = Batch()
        while batch.sessions.count < Self.maxSessions, let id = wantingSnapshot.popFirst() {
            guard let session = sessions[id] else { continue }
            for viewer in session.viewers { viewer.machine.readBegan() }
            batch.sessions.append(session)
        }
        while batch.items.count < Self.maxMessages, let id = wantingMessages.popFirst() {
            guard let session = sessions[id] else { continue }
            while batch.items.count < Self.maxMessages, let (message, version) = session.changed.popFirst() {
                batch.items.append((session, message, version))
            }
            if !session.changed.isEmpty { wantingMessages.insert(id) }
        }
        // In the order they were made: a turn before its reply.
        batch.items.sort { ($0.version, $0.message) < ($1.version, $1.message) }
        return batch
    }

    private func read(_ batch: Batch) async throws(PersistenceError) {
        let look: SessionWatchReader.Look
        do throws(PersistenceError) {
            look = try await reader.look(
                at: batch.sessions.map(\.place),
                messages: batch.items.map {
                    SessionWatchReader.Item(message: $0.message, owner: $0.session.place.owner)
                }, deadline: .now + timing.readTimeout)
        } catch {
            putBack(batch)
            throw error
        }
        let messages = await Self.frames(of: look.messages)
        let now = ContinuousClock.now
        for (index, session) in batch.sessions.enumerated() where sessions[session.id] === session {
            guard let snapshot = look.snapshots[index] else {
                end(session)
                continue
            }
            // One who stays live may still have to hear what the snapshot holds.
            let coversAll = !session.viewers.contains { $0.machine.phase == .live }
            session.versions.took(snapshot.version, coversAll: coversAll, now: now)
            show(snapshot, to: session)
        }
        for item in batch.items where sessions[item.session.id] === item.session {
            if let frame = messages[item.message] {
                send(frame, item.version, to: item.session)
            } else {
                // Deleted since, or too large to be sent to all: they look for themselves.
                resnapshot(item.session)
            }
        }
    }

    private func show(_ snapshot: SessionSnapshot, to session: WatchedSession) {
        let frame = SessionFrame.snapshot(snapshot)
        for viewer in session.viewers where viewer.machine.phase == .reading {
            let step = viewer.machine.snapshot(
                snapshot.version, sizeBytes: frame.count, bufferedBytes: viewer.writer.bufferedBytes)
            if step == .send { metrics.snapshots.increment() }
            take(step, frame, viewer)
            if viewer.machine.phase == .wantsSnapshot { wantSnapshot(viewer) }
        }
    }

    private func putBack(_ batch: Batch) {
        for session in batch.sessions where sessions[session.id] === session {
            for viewer in session.viewers { viewer.machine.readFailed() }
            wantingSnapshot.insert(session.id)
        }
        for item in batch.items where sessions[item.session.id] === item.session {
            item.session.changed[item.message] = max(item.version, item.session.changed[item.message] ?? 0)
            wantingMessages.insert(item.session.id)
        }
    }

    /// Off the loop: a mebibyte takes milliseconds to write, and readers of token streams wait for this loop.
    @concurrent
    private static func frames(of messages: [PlacedMessage]) async -> [MessageID: [UInt8]] {
        var frames: [MessageID: [UInt8]] = [:]
        for message in messages { frames[message.message.id] = SessionFrame.message(message) }
        return frames
    }
}
