// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTP
import HTTPServer
import Jobs
import Observability
import Persistence

// What readers are told beside the log: live, without an id, and only in the protocol of `/api`.
extension StreamHub {
    /// What was looked up of jobs that may wait.
    func found(_ standings: [JobID: JobStanding], among asked: [JobID]) {
        for id in asked {
            // Events that came with the same look, or since, say more.
            guard let job = jobs[id], job.wait.mayWait else { continue }
            guard let standing = standings[id] else {
                job.wait.isElsewhere()
                continue
            }
            for subscriber in job.subscribers where subscriber.transform == nil && subscriber.machine.phase == .live {
                guard subscriber.hasRoom(for: Self.noticeBytes),
                    let notice = subscriber.notices.notice(of: standing)
                else { continue }
                metrics.notices.increment()
                subscriber.writer.send(Self.frame(.queued(notice)))
            }
        }
    }

    /// A session has a new title: the readers of its replies see it too.
    func titled(_ session: SessionID, _ title: String) {
        guard let ids = jobsOfSession[session] else { return }
        let frame = Self.frame(.title(StreamTitle(sessionID: session, title: title)))
        for id in ids {
            for subscriber in jobs[id]?.subscribers ?? [] where subscriber.transform == nil {
                if !subscriber.hasBegun {
                    subscriber.title = frame
                } else if subscriber.hasRoom(for: frame.count) {
                    metrics.notices.increment()
                    subscriber.writer.send(frame)
                }
            }
        }
    }

    /// What a reader is told may be told to it once it has its first frames.
    func begin(_ subscriber: Subscriber) {
        guard !subscriber.hasBegun else { return }
        subscriber.hasBegun = true
        guard let frame = subscriber.title.take(), subscriber.machine.phase != .finished else { return }
        metrics.notices.increment()
        subscriber.writer.send(frame)
    }

    /// Notices of the jobs of a session reach whoever reads them.
    func connect(_ job: WatchedJob, to session: SessionID?) {
        guard let session, job.session == nil else { return }
        job.session = session
        jobsOfSession[session, default: []].insert(job.id)
    }

    func disconnect(_ job: WatchedJob) {
        guard let session = job.session.take() else { return }
        jobsOfSession[session]?.remove(job.id)
        if jobsOfSession[session]?.isEmpty == true { jobsOfSession[session] = nil }
    }

    /// More than any notice of a line.
    private static let noticeBytes = 512

    private static func frame(_ event: StreamEvent) -> [UInt8] {
        ServerSentEvent(event: event.kind.name, data: event.json).encoded()
    }
}

extension Subscriber {
    /// Whether a slow reader can be sent this; what is only live is not kept for it.
    func hasRoom(for sizeBytes: Int) -> Bool {
        writer.bufferedBytes + sizeBytes <= SubscriberMachine.highWatermarkBytes
    }
}
