// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import JSON

/// The figures of a scenario as a table for people and as JSON to keep.
struct Report: Sendable {
    let scenario: String
    let figures: [Figure]
    var roundCount = 1

    var table: String {
        var rows = [["figure", "measured", "spread", "unit", "target", ""]]
        for figure in figures {
            let verdict = figure.target.map { $0.isMet(by: figure.value) ? "met" : "MISSED" }
            rows.append([
                figure.name, Figure.text(figure.value), figure.spreadText, figure.unit, figure.target?.text ?? "",
                verdict ?? "",
            ])
        }
        let title = scenario + (roundCount > 1 ? ", median of \(roundCount) rounds" : "")
        return title + "\n" + TextTable.text(rows, rightAligned: [1])
    }

    /// - Returns: the path of the file.
    func save(in folder: String) throws -> String {
        let environment = ProcessInfo.processInfo.environment
        let commit = environment["SWITCHYARD_BENCH_COMMIT"] ?? "unknown"
        let date = environment["SWITCHYARD_BENCH_DATE"] ?? "undated"
        let path = "\(folder)/\(scenario)-\(date)-\(commit).json"
        let machine = Machine()
        let bytes = JSONWriter.object { json in
            json.member("scenario", scenario)
            json.member("date", date)
            json.member("commit", commit)
            json.member("rounds", roundCount)
            json.objectMember("machine") { writer in
                writer.member("processor", machine.processor)
                writer.member("cores", machine.coreCount)
                writer.member("memoryBytes", machine.memoryBytes)
            }
            json.arrayMember("figures") { writer in
                for figure in figures {
                    writer.object { writer in
                        writer.member("name", figure.name)
                        writer.member("value", figure.value.isFinite ? figure.value : -1)
                        writer.member("unit", figure.unit)
                        if let spread = figure.spread, spread.lowerBound.isFinite, spread.upperBound.isFinite {
                            writer.member("least", spread.lowerBound)
                            writer.member("greatest", spread.upperBound)
                        }
                        guard let target = figure.target else { return }
                        writer.member("target", target.text)
                        writer.member("met", target.isMet(by: figure.value))
                    }
                }
            }
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(bytes + [0x0A]).write(to: URL(filePath: path))
        return path
    }
}
