// SPDX-License-Identifier: Apache-2.0

/// What the command line asks for.
struct BenchmarkOptions: Sendable {
    /// How much is measured.
    enum Size: Sendable {
        /// Enough to see that a scenario works; its figures mean little.
        case quick
        case normal
        /// As the targets are stated.
        case full
    }

    /// `nil` lists the scenarios.
    var scenario: String?
    /// Where the results are written, if anywhere.
    var saveFolder: String?
    var size = Size.normal
    /// Samples, jobs, streams or viewers, by scenario; `nil` takes its own number.
    var count: Int?
    /// How long something is watched, by scenario; `nil` takes its own time.
    var seconds: Int?
    /// How often the whole scenario runs, each time from nothing; `nil` takes its own number.
    var rounds: Int?
    /// Runs other job queues as well, where the scenario knows any.
    var measuresPeers = false

    static var usage: String {
        let width = Scenarios.all.map(\.name.count).max() ?? 0
        let list = Scenarios.all.map { scenario in
            "  " + scenario.name + String(repeating: " ", count: width - scenario.name.count + 2) + scenario.summary
        }
        return """
            Usage: switchyard-bench SCENARIO [--quick | --full] [--count N] [--seconds N] [--rounds N] [--peers]
                                    [--save FOLDER]
                   switchyard-bench --names
                   switchyard-bench --summary FILE...

            \(list.joined(separator: "\n"))
            """
    }

    init(arguments: [String]) throws(BenchmarkUsageError) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--quick": size = .quick
            case "--full": size = .full
            case "--peers": measuresPeers = true
            case "--save": saveFolder = try Self.value(of: word, &rest)
            case "--count": count = try Self.number(of: word, upTo: 10_000_000, &rest)
            case "--seconds": seconds = try Self.number(of: word, upTo: 86_400, &rest)
            case "--rounds": rounds = try Self.number(of: word, upTo: 100, &rest)
            case _ where !word.hasPrefix("-") && scenario == nil: scenario = word
            default: throw BenchmarkUsageError(description: "«\(word)» is not understood")
            }
        }
    }

    /// The number asked for, else the one of the size.
    func count(quick: Int, normal: Int, full: Int) -> Int { count ?? pick(quick, normal, full) }

    /// The time asked for, else the one of the size, in seconds.
    func duration(quick: Int, normal: Int, full: Int) -> Duration { .seconds(seconds ?? pick(quick, normal, full)) }

    private func pick(_ quick: Int, _ normal: Int, _ full: Int) -> Int {
        switch size {
        case .quick: quick
        case .normal: normal
        case .full: full
        }
    }

    private static func value(
        of option: String, _ rest: inout ArraySlice<String>
    ) throws(BenchmarkUsageError) -> String {
        guard let value = rest.popFirst() else { throw BenchmarkUsageError(description: "\(option) needs a value") }
        return value
    }

    private static func number(
        of option: String, upTo limit: Int, _ rest: inout ArraySlice<String>
    ) throws(BenchmarkUsageError) -> Int {
        guard let number = Int(try value(of: option, &rest)), (1...limit).contains(number) else {
            throw BenchmarkUsageError(description: "\(option) takes a number from 1 to \(limit)")
        }
        return number
    }
}

/// A command line that cannot be understood.
struct BenchmarkUsageError: Error, CustomStringConvertible {
    let description: String
}
