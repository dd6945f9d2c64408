// SPDX-License-Identifier: Apache-2.0

/// The members of an object in the order they were written, each key once.
///
/// Order is kept so that what is read and written again stays comparable by eye; equality ignores it. Look-up compares
/// keys one by one up to eight members and hashes beyond, so a hostile object of a million keys costs linear time.
package struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private static let hashingThreshold = 8

    private var keyList: [String] = []
    private var valueList: [JSONValue] = []
    private var positions: [String: Int] = [:]

    /// An object without members.
    package init() {}

    /// The members of the literal; of a repeated key the last value holds, at the first one's place.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// The number of members.
    package var count: Int { keyList.count }

    /// Whether there is no member.
    package var isEmpty: Bool { keyList.isEmpty }

    /// Keys in written order.
    package var keys: [String] { keyList }

    /// Members in written order.
    package var members: Zip2Sequence<[String], [JSONValue]> { zip(keyList, valueList) }

    /// The value of a member: `nil` when there is none, `.null` when it is written as null. Setting keeps the place of
    /// an existing member, appends a new one, and removes it for `nil`, which costs linear time.
    package subscript(key: String) -> JSONValue? {
        get { position(of: key).map { valueList[$0] } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): valueList[position] = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): insert(value, for: key)
            case (nil, nil): break
            }
        }
    }

    /// Appends unless the key exists; says whether it did append.
    mutating func append(_ value: JSONValue, for key: String) -> Bool {
        guard position(of: key) == nil else { return false }
        insert(value, for: key)
        return true
    }

    /// Objects are equal when they hold the same members, in any order.
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0] == $1 }
    }

    private func position(of key: String) -> Int? {
        keyList.count > Self.hashingThreshold ? positions[key] : keyList.firstIndex(of: key)
    }

    private mutating func insert(_ value: JSONValue, for key: String) {
        keyList.append(key)
        valueList.append(value)
        if keyList.count == Self.hashingThreshold + 1 {
            rebuildPositions()
        } else if keyList.count > Self.hashingThreshold {
            positions[key] = keyList.count - 1
        }
    }

    private mutating func remove(at position: Int) {
        keyList.remove(at: position)
        valueList.remove(at: position)
        rebuildPositions()
    }

    private mutating func rebuildPositions() {
        positions = [:]
        guard keyList.count > Self.hashingThreshold else { return }
        for (position, key) in keyList.enumerated() { positions[key] = position }
    }
}
