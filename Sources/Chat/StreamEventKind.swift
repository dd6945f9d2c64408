// SPDX-License-Identifier: Apache-2.0

/// The kinds of events of a chat stream. The raw value is what the token log stores and never changes; new kinds get
/// new numbers.
package enum StreamEventKind: Int16, Sendable, Hashable, CaseIterable {
    case start = 1
    case queued = 2
    case usage = 3
    case content = 4
    case reasoning = 5
    case toolCall = 6
    case restart = 7
    case stop = 8
    case end = 9
    case complete = 10
    case error = 11
    case title = 12

    /// The SSE event name and the value of `type`.
    package var name: String {
        switch self {
        case .start: "start"
        case .queued: "queued"
        case .usage: "usage"
        case .content: "content"
        case .reasoning: "reasoning"
        case .toolCall: "tool_call"
        case .restart: "restart"
        case .stop: "stop"
        case .end: "end"
        case .complete: "complete"
        case .error: "error"
        case .title: "title"
        }
    }

    /// The kind of an SSE event name; `nil` for an unknown one.
    package init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }

    /// Whether no event follows this one in a job's life.
    package var isTerminal: Bool { self == .complete || self == .error }

    /// Whether it shows something of the reply, so that a later lease has to take it back with `restart`.
    package var isOutput: Bool { self == .content || self == .reasoning || self == .toolCall }
}
