// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Observability

struct LogKeyTests {
    @Test func `the documentation lists every key of the log and no other`() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/telemetry.md")
        let text = try String(contentsOf: file.standardized, encoding: .utf8)
        let section = try #require(text.range(of: "\n## Log keys\n")).upperBound
        let rows = text[section...].split(separator: "\n").filter { $0.hasPrefix("| `") }
        let documented = rows.map { row in String(row.dropFirst(3).prefix { $0 != "`" }) }
        #expect(documented.sorted() == LogKey.allCases.map(\.rawValue).sorted())
        #expect(rows.allSatisfy { $0.split(separator: "|").count == 2 && $0.hasSuffix(". |") })
    }
}
