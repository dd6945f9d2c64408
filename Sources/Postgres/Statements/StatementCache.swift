// SPDX-License-Identifier: Apache-2.0

/// Which texts one connection has prepared, and under what name. Pure; the least recently used leaves first.
struct StatementCache {
    /// What to do before a statement can be run.
    struct Lookup: Equatable {
        let name: String
        /// Prepare it under `name` first.
        let isNew: Bool
        /// Deallocate this name first.
        let evicted: String?
    }

    private struct Entry {
        let name: String
        let types: [PostgresType]
        var lastUse: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { entries.count }

    /// A text whose values changed their types is prepared anew.
    mutating func use(_ sql: SQL) -> Lookup {
        uses += 1
        if let index = entries.index(forKey: sql.text) {
            let entry = entries.values[index]
            if entry.types.count == sql.binds.count, zip(entry.types, sql.binds).allSatisfy({ $0 == $1.type }) {
                entries.values[index].lastUse = uses
                return Lookup(name: entry.name, isNew: false, evicted: nil)
            }
            return insert(sql, evicted: entry.name)
        }
        var evicted: String?
        if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries.removeValue(forKey: oldest.key)
            evicted = oldest.value.name
        }
        return insert(sql, evicted: evicted)
    }

    /// The server does not have it: preparing failed, or its plan is void.
    mutating func forget(_ text: String) { entries.removeValue(forKey: text) }

    private mutating func insert(_ sql: SQL, evicted: String?) -> Lookup {
        names += 1
        let name = "s\(names)"
        entries[sql.text] = Entry(name: name, types: sql.binds.map(\.type), lastUse: uses)
        return Lookup(name: name, isNew: true, evicted: evicted)
    }
}
