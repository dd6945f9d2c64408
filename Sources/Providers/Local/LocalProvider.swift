// SPDX-License-Identifier: Apache-2.0
import Chat

/// A provider without a network: a small rule-based replier, and a load generator by model name
/// (`local/lorem?tokens=50&itl=20ms&ttft=100ms&stamp=1`).
///
/// The same prompt gives the same answer. Pieces come at absolute deadlines: a slow reader gets what is due in one
/// batch, and delays do not add up.
package struct LocalProvider<C: Clock<Duration> & Sendable>: ChatProvider {
    /// `local`.
    package let name = "local"
    /// Text in, text out.
    package let capabilities = ProviderCapabilities(
        streams: true, tools: false, images: false, reportsUsage: true, needsKey: false)

    private let clock: C

    /// A provider whose pauses are of this clock; the request's deadline is not, it is only looked at before the start.
    package init(clock: C) {
        self.clock = clock
    }

    /// Begins at once; there is nobody to refuse.
    package func stream(_ request: ProviderRequest) async throws(ProviderError) -> ProviderStream {
        try Self.checkDeadline(request)
        let script = LocalScript(request)
        let start = clock.now
        let clock = clock
        let limits = request.limits
        return ProviderStream { LocalEventSource(script: script, clock: clock, start: start, limits: limits) }
    }

    /// Takes as long as the stream would.
    package func complete(_ request: ProviderRequest) async throws(ProviderError) -> ProviderCompletion {
        try Self.checkDeadline(request)
        let script = LocalScript(request)
        let end = clock.now.advanced(by: script.offset(ofPiece: script.pieceCount - 1))
        do { try await clock.sleep(until: end, tolerance: nil) } catch {
            throw ProviderError(.cancelled, .cancelled)
        }
        return ProviderCompletion(
            content: (0..<script.pieceCount).map(script.piece).joined(), finishReason: script.finishReason,
            usage: script.usage)
    }

    private static func checkDeadline(_ request: ProviderRequest) throws(ProviderError) {
        if let deadline = request.limits.deadline, deadline <= .now {
            throw ProviderError(.deadlineExceeded, .timeout, mayHaveReachedProvider: false)
        }
    }
}

extension LocalProvider where C == ContinuousClock {
    /// A provider that pauses in real time.
    package init() {
        self.init(clock: ContinuousClock())
    }
}

/// Puts out a script's pieces as they become due.
struct LocalEventSource<C: Clock<Duration>>: ProviderEventSource {
    /// Pieces of one batch where none has to be waited for: a reader that was cancelled notices between batches.
    private static var batchPieces: Int { 64 }

    let script: LocalScript
    let clock: C
    let start: C.Instant
    let limits: ProviderTimeLimits
    private var position = 0
    private var isOver = false

    init(script: LocalScript, clock: C, start: C.Instant, limits: ProviderTimeLimits) {
        self.script = script
        self.clock = clock
        self.start = start
        self.limits = limits
    }

    mutating func next() async throws(ProviderError) -> [ProviderEvent]? {
        if isOver { return nil }
        if position < script.pieceCount { try await wait() }
        var text = ""
        let elapsed = start.duration(to: clock.now)
        let limit = min(script.pieceCount, position + Self.batchPieces)
        while position < limit, script.offset(ofPiece: position) <= elapsed {
            text += script.piece(position)
            position += 1
        }
        var events: [ProviderEvent] = text.isEmpty ? [] : [.content(text)]
        if position == script.pieceCount {
            isOver = true
            events += [.finish(script.finishReason), .usage(script.usage)]
        }
        return events
    }

    /// Until the next piece is due, or our patience is at its end.
    private func wait() async throws(ProviderError) {
        let due = script.offset(ofPiece: position)
        let patience = position == 0 ? limits.firstToken : script.offset(ofPiece: position - 1) + limits.idle
        let elapsed = start.duration(to: clock.now)
        let untilDeadline = limits.deadline.map { elapsed + ContinuousClock.now.duration(to: $0) } ?? due
        let wakeUp = min(due, patience, untilDeadline)
        do {
            if wakeUp > elapsed { try await clock.sleep(until: start.advanced(by: wakeUp), tolerance: nil) }
            try Task.checkCancellation()
        } catch {
            throw ProviderError(.cancelled, .cancelled).afterOutput(position > 0)
        }
        if wakeUp == due { return }
        let code: ErrorCode =
            wakeUp == untilDeadline ? .deadlineExceeded : position == 0 ? .firstTokenTimeout : .idleTimeout
        throw ProviderError(code, .timeout).afterOutput(position > 0)
    }
}
