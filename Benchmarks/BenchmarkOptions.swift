// SPDX-License-Identifier: Apache-2.0

/// What the command line asks for.
struct BenchmarkOptions: Sendable {
    /// `nil` lists the scenarios.
    var scenario: String?
    /// Where the results are written, if anywhere.
    var saveFolder: String?
    /// The size of the design's targets instead of the quick one.
    var isFull = false
    /// Samples, jobs, streams or rounds, by scenario; `nil` takes its own number.
    var count: Int?

    static var usage: String {
        let width = Scenarios.all.map(\.name.count).max() ?? 0
        let list = Scenarios.all.map { scenario in
            "  " + scenario.name + String(repeating: " ", count: width - scenario.name.count + 2) + scenario.summary
        }
        return """
            Usage: switchyard-bench SCENARIO [--count N] [--full] [--save FOLDER]

            \(list.joined(separator: "\n"))
            """
    }

    init(arguments: [String]) throws(BenchmarkUsageError) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--full": isFull = true
            case "--save": saveFolder = try Self.value(of: word, &rest)
            case "--count":
                guard let number = Int(try Self.value(of: word, &rest)), (1...10_000_000).contains(number) else {
                    throw BenchmarkUsageError(description: "--count takes a number from 1 to 10000000")
                }
                count = number
            case _ where !word.hasPrefix("-") && scenario == nil: scenario = word
            default: throw BenchmarkUsageError(description: "«\(word)» is not understood")
            }
        }
    }

    private static func value(
        of option: String, _ rest: inout ArraySlice<String>
    ) throws(BenchmarkUsageError) -> String {
        guard let value = rest.popFirst() else { throw BenchmarkUsageError(description: "\(option) needs a value") }
        return value
    }
}

/// A command line that cannot be understood.
struct BenchmarkUsageError: Error, CustomStringConvertible {
    let description: String
}
