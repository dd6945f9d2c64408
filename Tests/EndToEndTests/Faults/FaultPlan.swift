// SPDX-License-Identifier: Apache-2.0
import JSON
import TestSupport

/// A schedule of turns and faults. Pure: a seed and a length give the same schedule for ever.
struct FaultPlan: Equatable, Sendable {
    /// How long and how hard.
    struct Size: Equatable, Sendable {
        /// Time in which steps begin.
        var milliseconds: Int
        var turnCount: Int
        var faultCount: Int
        /// Whether a process may stand still for longer than others wait for its beat.
        var outlivesLease: Bool

        /// For every run of the tests.
        static let short = Size(milliseconds: 9000, turnCount: 24, faultCount: 14, outlivesLease: false)
        /// For one seed of a soak.
        static let long = Size(milliseconds: 30_000, turnCount: 70, faultCount: 40, outlivesLease: true)
    }

    /// One message to one conversation, and how its client behaves.
    struct Turn: Equatable, Sendable {
        /// From 0; also the number of its model, by which the provider knows it.
        let number: Int
        let conversation: Int
        /// The first process that is asked.
        let api: Int
        let tokens: Int
        let betweenTokensMicroseconds: Int
        let provider: ProviderFault?
        /// The client vanishes after so many frames, again and again, and comes back elsewhere.
        let leavesAfter: [Int]
        /// The first answer is thrown away unread, and the message is sent again.
        let losesAnswer: Bool
        /// Sent again with its key once it is over.
        let repeats: Bool
    }

    /// What the provider does to the first requests of a turn.
    struct ProviderFault: Equatable, Sendable {
        let name: String
        /// `nil` for all of them.
        let times: Int?
        let afterTokens: Int
    }

    enum Step: Equatable, Sendable {
        case turn(Turn)
        case stop(conversation: Int, api: Int)
        case killWorker(Int)
        case killAPI(Int)
        /// SIGTERM.
        case endWorker(Int)
        case suspendWorker(Int, milliseconds: Int)
        case suspendAPI(Int, milliseconds: Int)
        /// The server ends one session of the product: the n-th of those that there are.
        case endConnection(Int)
        case crashDatabase
    }

    struct Moment: Equatable, Sendable {
        let atMilliseconds: Int
        let step: Step
    }

    static let conversationCount = 5
    static let apiCount = 2
    static let workerCount = 2

    let seed: UInt64
    let size: Size
    /// In order of time.
    let moments: [Moment]

    var turns: [Turn] {
        moments.compactMap { if case .turn(let turn) = $0.step { turn } else { nil } }
    }
    var crashesDatabase: Bool { moments.contains { $0.step == .crashDatabase } }

    init(seed: UInt64, size: Size) {
        self.seed = seed
        self.size = size
        var random = SeededGenerator(seed: seed)
        var moments: [Moment] = []
        for number in 0..<size.turnCount {
            // The first ones at once, so that what goes wrong goes wrong in the middle of something.
            let time = number < Self.conversationCount ? 0 : Int.random(in: 0..<size.milliseconds, using: &random)
            moments.append(Moment(atMilliseconds: time, step: .turn(Self.turn(number, &random))))
        }
        var crashes = 0
        for _ in 0..<size.faultCount {
            var step = Self.fault(size, &random)
            // A crash takes about a second of the schedule: a few are enough.
            if step == .crashDatabase { crashes += 1 }
            if crashes > 1 + size.milliseconds / 20_000, step == .crashDatabase { step = .endConnection(crashes) }
            moments.append(
                Moment(atMilliseconds: Int.random(in: 200..<size.milliseconds, using: &random), step: step))
        }
        self.moments = moments.enumerated().sorted {
            ($0.element.atMilliseconds, $0.offset) < ($1.element.atMilliseconds, $1.offset)
        }.map(\.element)
    }

    private static func turn(_ number: Int, _ random: inout SeededGenerator) -> Turn {
        let tokens = Int.random(in: 5...160, using: &random)
        return Turn(
            number: number, conversation: Int.random(in: 0..<conversationCount, using: &random),
            api: Int.random(in: 0..<apiCount, using: &random), tokens: tokens,
            betweenTokensMicroseconds: Int.random(in: 500...20_000, using: &random),
            provider: Int.random(in: 0..<3, using: &random) == 0 ? providerFault(tokens, &random) : nil,
            leavesAfter: (0..<Int.random(in: 0...2, using: &random)).map { _ in
                Int.random(in: 1...40, using: &random)
            },
            losesAnswer: Int.random(in: 0..<4, using: &random) == 0,
            repeats: Int.random(in: 0..<4, using: &random) == 0)
    }

    private static func providerFault(_ tokens: Int, _ random: inout SeededGenerator) -> ProviderFault {
        let passing = [
            "status429", "status500", "status502", "status503", "reset", "close", "stall", "hang", "badJSON",
            "errorEvent",
        ]
        let lasting = ["status401", "quota429", "400filter", "refuseStream", "noUsage", "splitUTF8,crlf,heartbeats"]
        let isLasting = Int.random(in: 0..<4, using: &random) == 0
        return ProviderFault(
            name: (isLasting ? lasting : passing).randomElement(using: &random) ?? "reset",
            times: isLasting ? nil : Int.random(in: 1...2, using: &random),
            afterTokens: Int.random(in: 0..<tokens, using: &random))
    }

    private static func fault(_ size: Size, _ random: inout SeededGenerator) -> Step {
        let worker = Int.random(in: 0..<workerCount, using: &random)
        let api = Int.random(in: 0..<apiCount, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0...2: return .killWorker(worker)
        case 3: return .killAPI(api)
        case 4, 5: return .endWorker(worker)
        case 6, 7:
            let isLong = size.outlivesLease && Int.random(in: 0..<4, using: &random) == 0
            let pause = isLong ? 17_000...19_000 : 50...2500
            return .suspendWorker(worker, milliseconds: Int.random(in: pause, using: &random))
        case 8: return .suspendAPI(api, milliseconds: Int.random(in: 50...2500, using: &random))
        case 9, 10: return .crashDatabase
        case 11...13:
            return .stop(conversation: Int.random(in: 0..<conversationCount, using: &random), api: api)
        default: return .endConnection(Int.random(in: 0..<1000, using: &random))
        }
    }
}

extension FaultPlan.Turn {
    /// What the provider is told to do.
    var message: String {
        var scenario: JSONObject = [
            "tokens": .integer(Int64(tokens)), "itl": .string("\(betweenTokensMicroseconds)us"),
        ]
        if let provider {
            scenario["fault"] = .string(provider.name)
            scenario["after"] = .integer(Int64(provider.afterTokens))
            if let times = provider.times { scenario["times"] = .integer(Int64(times)) }
            if provider.name == "status429" { scenario["retryAfterMs"] = "300" }
        }
        return simulate(scenario)
    }

    /// The model string of its own, so that the provider's requests can be told apart and faults count for it alone.
    var model: String { Self.model(number) }

    static func model(_ number: Int) -> String { "sim/t\(number)" }
}

extension FaultPlan: CustomStringConvertible {
    /// One line a step, as it is told when an invariant is broken.
    var description: String {
        "seed \(seed), \(size)\n"
            + moments.map { "  \($0.atMilliseconds) ms: \($0.step)" }.joined(separator: "\n")
    }
}
