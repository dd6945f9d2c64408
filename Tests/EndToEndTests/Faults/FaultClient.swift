// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport

/// What became of a turn, as its client knows it.
struct FaultOutcome: Sendable {
    let turn: FaultPlan.Turn
    let session: String
    var messageID = ""
    var jobID = ""
    var reply = Reply()
    /// The folded text of the stream that a repeated request was answered with.
    var repeated: (jobID: String, text: String)?
    var complaints: [String] = []

    var isAcknowledged: Bool { !jobID.isEmpty }
}

/// A client that does not give up: it sends its message with a key until it is acknowledged, and takes the stream up
/// where it broke, on whatever process answers.
struct FaultClient: Sendable {
    /// Longer than every recovery that is promised, several times over.
    private static let patience: Duration = .seconds(40)
    /// A process that stands still says nothing; another one is asked then.
    private static let silence: Duration = .seconds(4)

    private struct NeverEnded: Error {
        let last: String?
    }

    let fleet: FaultFleet
    let turn: FaultPlan.Turn
    let session: String
    let modelID: String
    let deadline = ContinuousClock.now + Self.patience

    func run() async -> FaultOutcome {
        var outcome = FaultOutcome(turn: turn, session: session)
        var api = turn.api
        do {
            if turn.losesAnswer {
                let unread = try await post(&api)
                await unread.close()
                api += 1
            }
            let stream = try await post(&api)
            (outcome.messageID, outcome.jobID) = (stream.messageID, stream.jobID)
            try await follow(stream, &api, &outcome)
            if turn.repeats { try await self.repeat(&api, &outcome) }
        } catch {
            outcome.complaints.append("\(error)")
        }
        return outcome
    }

    /// Until it is acknowledged, always with the same key.
    private func post(_ api: inout Int) async throws -> ReplyStream {
        while true {
            do {
                return try await fleet.client(api).post(
                    turn.message, to: session, ["modelId": .string(modelID)], key: "turn-\(turn.number)")
            } catch { try await after(error, &api) }
        }
    }

    /// To the last frame.
    private func follow(_ first: ReplyStream, _ api: inout Int, _ outcome: inout FaultOutcome) async throws {
        var stream: ReplyStream? = first
        var leaves = turn.leavesAfter
        while !outcome.reply.isOver {
            do {
                let current: ReplyStream
                if let stream {
                    current = stream
                } else {
                    current = try await fleet.client(api).attach(to: outcome.messageID, after: outcome.reply.cursor)
                }
                stream = current
                var left = leaves.popLast()
                while let frame = try await current.exchange.frame(within: Self.silence) {
                    outcome.reply.take(frame)
                    left = left.map { $0 - 1 }
                    if left == 0 { break }
                }
                await current.close()
                stream = nil
                if !outcome.reply.isOver { api += 1 }
                if .now > deadline { throw NeverEnded(last: outcome.reply.frames.last?.text) }
            } catch {
                await stream?.close()
                stream = nil
                if error is NeverEnded { throw error }
                try await after(error, &api)
            }
        }
    }

    private func `repeat`(_ api: inout Int, _ outcome: inout FaultOutcome) async throws {
        while true {
            do {
                let again = try await post(&api)
                let reply = try await again.read(within: Self.silence)
                if reply.isOver {
                    outcome.repeated = (again.jobID, reply.text)
                    outcome.complaints += reply.violations.map { "repeated: \($0)" }
                    return
                }
                api += 1
            } catch { try await after(error, &api) }
        }
    }

    /// What a client may take for a fault of the moment is tried again elsewhere; anything else is a violation.
    private func after(_ error: any Error, _ api: inout Int) async throws {
        if let answer = error as? APIClient.Answer, answer.status != 503 { throw error }
        if .now > deadline { throw error }
        api += 1
        await Pause.short()
    }
}
