// SPDX-License-Identifier: Apache-2.0

/// A row of the tree of messages, as far as the thread is concerned.
package protocol MessageNode {
    /// Names the row.
    var id: MessageID { get }
    /// The message it answers; `nil` at a root.
    var parentID: MessageID? { get }
}

/// The walk from a leaf to the root. Trees come from the database and from imports, so a cycle or a missing parent ends
/// the walk instead of failing it.
package enum MessageThread {
    /// Collects a leaf's ancestors by their parents. Cost: linear in the rows.
    /// - Parameters:
    ///   - leaf: where the walk begins.
    ///   - rows: any rows, in any order; of a repeated id the first counts.
    ///   - isLast: asked for each row on the way up; the walk ends with the row that says so, such as one that a
    ///     summary stands for.
    /// - Returns: the chain with the leaf itself, oldest first; empty when there is no such row.
    package static func path<Row: MessageNode>(
        to leaf: MessageID, in rows: some Sequence<Row>, endingAt isLast: (Row) -> Bool = { _ in false }
    ) -> [Row] {
        var unvisited = Dictionary(rows.map { ($0.id, $0) }) { first, _ in first }
        var path: [Row] = []
        var next: MessageID? = leaf
        // Taking each row out of the dictionary is what makes the walk end on a cycle.
        while let id = next, let row = unvisited.removeValue(forKey: id) {
            path.append(row)
            if isLast(row) { break }
            next = row.parentID
        }
        return path.reversed()
    }
}
