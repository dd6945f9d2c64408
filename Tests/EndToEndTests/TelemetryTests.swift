// SPDX-License-Identifier: Apache-2.0
import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(1))) struct TelemetryTests {
        /// A metric as the documentation or a process describes it.
        struct Metric: Hashable, CustomStringConvertible {
            let name: String
            let kind: String
            let labels: [String]
            var description: String { "\(kind) \(name){\(labels.joined(separator: ","))}" }
        }

        @Test func `the documentation lists exactly the metrics of a process that ran a chat`() async throws {
            try await Deployment.with(.all) { _, processes in
                let client = try await processes[0].client()
                let session = try await client.newSession(model: Deployment.model)
                let reply = try await client.post(simulate(["tokens": 20]), to: session).read()
                #expect(reply.shape == ReplyTests.finishedShape)
                let text = try #require(try await client.send("GET", "/metrics").json.stringValue)
                let documented = try Self.documented()
                let served = try Self.served(text, documented)
                #expect(documented.subtracting(served) == [], "documented and not served so")
                #expect(served.subtracting(documented) == [], "served and not documented so")
                // What the chat must have left behind.
                for sample in [
                    #"switchyard_jobs_wait_seconds_count{lane="chat"} 1"#,
                    #"switchyard_jobs_run_seconds_count{lane="chat"} 1"#,
                    #"switchyard_jobs_total_seconds_count{lane="chat"} 1"#,
                    #"switchyard_jobs_ended_total{lane="chat",end="completed"} 1"#,
                    "switchyard_chat_first_token_seconds_count 1",
                ] {
                    #expect(text.contains("\n\(sample)\n"), "\(sample)")
                }
            }
        }

        /// The rows of all tables of metrics.
        private static func documented() throws -> Set<Metric> {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/telemetry.md")
            let text = try String(contentsOf: file.standardized, encoding: .utf8)
            let end = try #require(text.range(of: "\n## Log keys\n")).lowerBound
            var metrics: [Metric] = []
            for row in text[..<end].split(separator: "\n") where row.hasPrefix("| `") {
                let cells = row.split(separator: "|", omittingEmptySubsequences: false).map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                try #require(cells.count == 7, "\(row)")
                let name = cells[1].filter { $0 != "`" }
                let labels = cells[4].split(separator: ",").map { $0.filter { $0 != "`" && $0 != " " } }
                // The unit that a name ends with is the unit of the row.
                let parts = name.split(separator: "_").filter { $0 != "total" }
                if let unit = ["seconds", "bytes"].first(where: { parts.last == Substring($0) }) {
                    #expect(cells[3] == unit, "\(row)")
                }
                #expect(!cells[3].isEmpty && cells[5].hasSuffix("."), "\(row)")
                metrics.append(Metric(name: name, kind: cells[2], labels: labels))
            }
            let set = Set(metrics)
            #expect(set.count == metrics.count, "a metric is listed twice")
            return set
        }

        /// Names and types of the header lines with the labels of the samples, which are the same in all of a metric's.
        /// What is told by provider has no samples until there is something to tell; its labels are believed.
        private static func served(_ text: String, _ documented: Set<Metric>) throws -> Set<Metric> {
            var kinds: [String: String] = [:]
            var labels: [String: Set<[String]>] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if line.hasPrefix("# TYPE ") {
                    kinds[String(words[2])] = String(words[3])
                } else if !line.hasPrefix("#") {
                    let sample = line.prefix { $0 != "{" && $0 != " " }
                    let names = line.matches(of: #/[{,]([a-z_]+)="/#).map { String($0.output.1) }
                    let suffix = ["_bucket", "_sum", "_count"].first { suffix in
                        sample.hasSuffix(suffix) && kinds[String(sample.dropLast(suffix.count))] == "histogram"
                    }
                    labels[String(sample.dropLast(suffix?.count ?? 0)), default: []].insert(names.filter { $0 != "le" })
                }
            }
            return Set(
                try kinds.map { name, kind in
                    let found = labels[name] ?? []
                    if found.isEmpty, name.hasPrefix("switchyard_provider_") {
                        return documented.first { $0.name == name && $0.kind == kind }
                            ?? Metric(name: name, kind: kind, labels: [])
                    }
                    // Members that are known beforehand are there from the start, so that each metric can be looked at.
                    try #require(found.count == 1, "\(name) has the labels \(found)")
                    return Metric(name: name, kind: kind, labels: found.first ?? [])
                })
        }
    }
}
