// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPClient

/// Reads a streamed answer from its response.
struct OpenAIEventSource: ProviderEventSource {
    /// How long the body's own end may take after `[DONE]`; reaching it lets the connection be used again.
    private static let drainPatience = Duration.milliseconds(200)
    /// The longest silence once the answer has said why it ends: its reader waits for figures and `[DONE]`. No bound of
    /// the whole, because there are servers that go on writing.
    private static let tailPatience = Duration.seconds(5)

    private let body: HTTPResponseBody
    private let limits: ProviderTimeLimits
    private var chunks: HTTPResponseBody.Iterator
    private var decoder: OpenAIStreamDecoder
    private var isFlowing = false
    private var isEnding = false
    private var isAtEnd = false

    init(body: HTTPResponseBody, limits: ProviderTimeLimits, decoder: OpenAIStreamDecoder) {
        self.body = body
        self.limits = limits
        self.decoder = decoder
        chunks = body.makeAsyncIterator()
    }

    mutating func next() async throws(ProviderError) -> [ProviderEvent]? {
        while !isAtEnd {
            if decoder.isDone {
                await drain()
                return nil
            }
            let events: [ProviderEvent]
            if let chunk = try await nextChunk() {
                events = try decoder.feed(chunk)
            } else {
                isAtEnd = true
                events = try decoder.finish()
                if !decoder.isWhole {
                    guard events.isEmpty else { return events }
                    throw ProviderError(.providerBadResponse, .truncated).afterOutput(decoder.hadOutput)
                }
            }
            if events.isEmpty { continue }
            tightenLimits()
            return events
        }
        if !decoder.isWhole { throw ProviderError(.providerBadResponse, .truncated).afterOutput(decoder.hadOutput) }
        return nil
    }

    /// The patience for the first output gives way to that for the text, and this one to that for what follows it.
    private mutating func tightenLimits() {
        if decoder.isDone { return }
        if decoder.hasFinished, !isEnding {
            isEnding = true
            body.limit(idle: min(limits.idle, Self.tailPatience), deadline: limits.deadline)
        } else if decoder.hadOutput, !isFlowing, !isEnding {
            isFlowing = true
            body.limit(idle: limits.idle, deadline: limits.deadline)
        }
    }

    /// `nil` at the end, also at a broken one, or one that does not come, when all that counts has come: a failure would
    /// throw the answer away and pay for another.
    private mutating func nextChunk() async throws(ProviderError) -> [UInt8]? {
        do throws(HTTPClientError) {
            return try await chunks.next(isolation: #isolation)
        } catch {
            if error.code != .cancelled, decoder.isWhole { return nil }
            let isPastDeadline = decoder.hadOutput || limits.deadline.map { $0 <= .now } == true
            throw ProviderError(
                error, hadOutput: decoder.hadOutput, isPastDeadline: isPastDeadline, isWithinBody: true)
        }
    }

    private mutating func drain() async {
        isAtEnd = true
        body.limit(idle: Self.drainPatience, deadline: .now + Self.drainPatience)
        do throws(HTTPClientError) {
            while try await chunks.next(isolation: #isolation) != nil {}
        } catch {
            // The answer is whole; only the connection is lost for others.
            return
        }
    }
}
