// SPDX-License-Identifier: Apache-2.0

/// A set of paths, compiled once, that are pulled out of many small documents in one pass without building a tree.
///
/// For provider deltas: a chunk of 265 bytes costs about 0.3 µs this way and 7 µs through a decoder. What lies beside
/// the paths is only stepped over: brackets must balance and strings must close, but numbers and escapes there are not
/// checked. Of a repeated key the last value holds.
package struct JSONProjection: Sendable {
    struct Node {
        var slot = -1
        var children: [Child] = []
    }

    struct Child {
        let step: Step
        let node: Int
    }

    enum Step: Equatable {
        case key([UInt8])
        case index(Int)
    }

    private(set) var nodes = [Node()]

    /// The number of paths, and of results.
    package let count: Int

    /// - Parameter paths: like `choices[0].delta.content`; a result's place is that of its path. Keys hold no dots or
    ///   brackets. A broken path is a programmer's error and traps.
    package init(_ paths: [String]) {
        count = paths.count
        for (slot, path) in paths.enumerated() {
            var node = 0
            for step in Self.steps(of: path) { node = child(of: node, by: step) }
            precondition(nodes[node].slot == -1, "a path is given twice")
            nodes[node].slot = slot
        }
    }

    /// The values at the paths; `nil` where the document has none. The policy is for the strings found: provider text
    /// is repaired by default. Throws when the document is cut, unbalanced, or broken at a path.
    package func values(
        in input: Span<UInt8>, policy: JSONTextPolicy = .repairing
    ) throws(JSONError) -> [JSONFragment?] {
        var values: [JSONFragment?] = []
        try read(input, policy: policy, into: &values)
        return values
    }

    /// As `values(in:)`, into an array that is used again: no allocation but for long strings.
    package func read(
        _ input: Span<UInt8>, policy: JSONTextPolicy = .repairing, into values: inout [JSONFragment?]
    ) throws(JSONError) {
        if values.count == count {
            for slot in values.indices { values[slot] = nil }
        } else {
            values = Array(repeating: nil, count: count)
        }
        var lexer = JSONLexer(policy: policy)
        try readValue(input, at: 0, &lexer, depth: 0, &values)
        try lexer.expectEnd(input)
    }

    private mutating func child(of parent: Int, by step: Step) -> Int {
        if let known = nodes[parent].children.first(where: { $0.step == step }) { return known.node }
        nodes.append(Node())
        nodes[parent].children.append(Child(step: step, node: nodes.count - 1))
        return nodes.count - 1
    }

    private static func steps(of path: String) -> [Step] {
        path.split(separator: ".", omittingEmptySubsequences: false).flatMap { part in
            let pieces = part.split(separator: "[", omittingEmptySubsequences: false)
            let indices = pieces.dropFirst().map { piece in
                guard piece.hasSuffix("]"), let index = Int(piece.dropLast()), index >= 0 else {
                    preconditionFailure("a path's index is no number")
                }
                return Step.index(index)
            }
            precondition(pieces[0].isEmpty == false || indices.isEmpty == false, "a path has an empty part")
            return (pieces[0].isEmpty ? [] : [Step.key(Array(pieces[0].utf8))]) + indices
        }
    }
}
