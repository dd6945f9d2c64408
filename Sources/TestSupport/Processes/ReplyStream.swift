// SPDX-License-Identifier: Apache-2.0

/// The event stream of a reply.
package struct ReplyStream: Sendable {
    /// The connection.
    package let exchange: HTTPExchange
    /// The answer's head.
    package let head: HTTPExchange.Head

    /// The reply.
    package var messageID: String { head.fields["x-message-id"] ?? "" }
    /// What makes it.
    package var jobID: String { head.fields["x-job-id"] ?? "" }

    /// Reads on until a frame satisfies, or to the stream's end.
    package func read(
        into reply: Reply = Reply(), within patience: Duration = .seconds(20),
        until isEnough: (EventFrame) -> Bool = { _ in false }
    ) async throws -> Reply {
        var reply = reply
        let deadline = ContinuousClock.now + patience
        while let frame = try await exchange.frame(within: deadline - .now) {
            reply.take(frame)
            if isEnough(frame) { return reply }
        }
        return reply
    }

    /// Reads so many pieces of text more.
    package func read(into reply: Reply = Reply(), pieces: Int) async throws -> Reply {
        var left = pieces
        return try await read(into: reply) { frame in
            if frame.event == "content" { left -= 1 }
            return left <= 0
        }
    }

    /// Vanishes.
    package func close() async { await exchange.close() }
}
