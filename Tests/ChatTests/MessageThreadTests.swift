// SPDX-License-Identifier: Apache-2.0
import Chat
import Testing

@Suite(.timeLimit(.minutes(1)))
struct MessageThreadTests {
    private struct Node: MessageNode {
        let id: MessageID
        let parentID: MessageID?
    }

    private static func path(to leaf: UInt64, _ rows: [(UInt64, UInt64?)], endingAt last: UInt64? = nil) -> [UInt64] {
        let nodes = rows.map { row in
            Node(id: .init(high: 0, low: row.0), parentID: row.1.map { .init(high: 0, low: $0) })
        }
        return MessageThread.path(to: .init(high: 0, low: leaf), in: nodes) { $0.id.low == last }.map(\.id.low)
    }

    static let table: [(String, UInt64, [(UInt64, UInt64?)], [UInt64])] = [
        ("a chain", 3, [(1, nil), (2, 1), (3, 2)], [1, 2, 3]),
        ("a chain in any order", 3, [(3, 2), (1, nil), (2, 1)], [1, 2, 3]),
        ("a branch leaves its siblings out", 5, [(1, nil), (2, 1), (3, 1), (4, 2), (5, 3)], [1, 3, 5]),
        ("an inner message as leaf", 2, [(1, nil), (2, 1), (3, 2)], [1, 2]),
        ("a missing parent ends the walk", 3, [(2, 9), (3, 2)], [2, 3]),
        ("an unknown leaf", 7, [(1, nil)], []),
        ("no rows", 1, [], []),
        ("a message that is its own parent", 1, [(1, 1)], [1]),
        ("a cycle of two", 2, [(1, 2), (2, 1)], [1, 2]),
        ("a cycle above the leaf", 4, [(1, 3), (2, 1), (3, 2), (4, 3)], [1, 2, 3, 4]),
        ("two roots", 4, [(1, nil), (2, nil), (3, 1), (4, 2)], [2, 4]),
        ("of a repeated id the first row counts", 3, [(1, nil), (2, nil), (3, 1), (3, 2)], [1, 3]),
    ]

    @Test(arguments: table)
    func `the walk goes from the leaf to the root`(
        name: String, leaf: UInt64, rows: [(UInt64, UInt64?)], expected: [UInt64]
    ) {
        #expect(Self.path(to: leaf, rows) == expected, "\(name)")
    }

    @Test func `the walk ends with the row that says so`() {
        let rows: [(UInt64, UInt64?)] = [(1, nil), (2, 1), (3, 2), (4, 3)]
        #expect(Self.path(to: 4, rows, endingAt: 2) == [2, 3, 4])
        #expect(Self.path(to: 4, rows, endingAt: 4) == [4])
        #expect(Self.path(to: 4, rows, endingAt: 9) == [1, 2, 3, 4])
    }

    @Test func `a thread of 100 000 messages is walked in linear time`() {
        let rows = (1...100_000).map { (UInt64($0), $0 == 1 ? nil : UInt64($0 - 1)) }
        #expect(Self.path(to: 100_000, rows).count == 100_000)
    }
}
