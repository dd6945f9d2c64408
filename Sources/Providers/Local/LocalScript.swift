// SPDX-License-Identifier: Apache-2.0
import Chat

/// What the local provider answers to a request, piece by piece, and when. Pure.
struct LocalScript: Sendable {
    private static let words = [
        "lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod",
        "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua",
    ]
    /// A load of more is a mistake in the model's name.
    private static let maximumPieces = 1_000_000

    private let load: LocalLoad?
    private let pieces: [String]
    private let wantedPieces: Int
    private let promptBytes: Int
    let pieceCount: Int

    init(_ request: ProviderRequest) {
        load = LocalLoad(model: request.model)
        pieces = load == nil ? Self.pieces(of: LocalReplier.reply(to: request.messages)) : []
        wantedPieces = min(load?.tokenCount ?? pieces.count, Self.maximumPieces)
        pieceCount = min(wantedPieces, max(1, request.maxTokens ?? .max))
        promptBytes = request.messages.reduce(0) { $0 + $1.content.utf8.count }
    }

    func piece(_ number: Int) -> String {
        guard load != nil else { return pieces[number] }
        return Self.words[number % Self.words.count] + (number + 1 < pieceCount ? " " : "")
    }

    func offset(ofPiece number: Int) -> Duration {
        guard let load else { return .zero }
        return load.firstToken + load.betweenTokens * max(0, number)
    }

    var finishReason: FinishReason { pieceCount < wantedPieces ? .length : .stop }

    /// A piece counts as a token, four bytes of the prompt as one.
    var usage: ReportedUsage {
        ReportedUsage(promptTokens: (promptBytes + 3) / 4, completionTokens: pieceCount)
    }

    /// Words with the blanks after them, so that joined they are the text again.
    static func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var piece = ""
        for character in text {
            if let last = piece.last, last.isWhitespace, !character.isWhitespace {
                pieces.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        return piece.isEmpty ? pieces : pieces + [piece]
    }
}

/// The load generator's settings, out of a model's name; `nil` for any other model.
struct LocalLoad: Sendable, Equatable {
    var tokenCount = 50
    var firstToken = Duration.zero
    var betweenTokens = Duration.zero

    init?(model: String) {
        let parts = model.split(separator: "?", maxSplits: 1)
        guard let name = parts.first, name == "local/lorem" || name == "lorem" else { return nil }
        for setting in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let pair = setting.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            switch pair[0] {
            case "tokens": tokenCount = Int(pair[1]).map { max(0, $0) } ?? tokenCount
            case "itl": betweenTokens = Self.duration(pair[1]) ?? betweenTokens
            case "ttft": firstToken = Self.duration(pair[1]) ?? firstToken
            default: break
            }
        }
    }

    /// `20ms`, `1.5s`, `100us`; a bare number is milliseconds. At most an hour.
    private static func duration(_ text: Substring) -> Duration? {
        let unit = text.drop { $0.isNumber || $0 == "." }
        let factors: [Substring: Double] = ["us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1]
        guard let number = Double(text.dropLast(unit.count)), let factor = factors[unit] else { return nil }
        return .seconds(min(number * factor, 3600))
    }
}
