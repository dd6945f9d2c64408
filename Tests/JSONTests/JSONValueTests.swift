// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONValueTests {
    @Test func `an object keeps its order, and equality ignores it`() {
        let object: JSONObject = ["z": 1, "a": 2]
        #expect(object.keys == ["z", "a"])
        #expect(object == ["a": 2, "z": 1])
        #expect(object != ["a": 2])
        #expect(object != ["a": 2, "z": 2])
    }

    @Test(arguments: [3, 8, 9, 10, 40])
    func `members are set, replaced and removed at any size`(count: Int) {
        var object = JSONObject()
        for index in 0..<count { object["k\(index)"] = .integer(Int64(index)) }
        #expect(object.count == count)
        #expect((0..<count).allSatisfy { object["k\($0)"] == .integer(Int64($0)) })
        object["k1"] = "new"
        #expect(object["k1"] == "new")
        #expect(object.keys[1] == "k1")
        object["k0"] = nil
        object["absent"] = nil
        #expect(object["k0"] == nil)
        #expect(object.count == count - 1)
        #expect(object["k\(count - 1)"] != nil)
        #expect(object["k1"] == "new")
        #expect(object.isEmpty == false)
    }

    @Test func `accessors answer nil for other types`() {
        let value: JSONValue = ["i": 1, "d": 1.5, "w": 2.0, "s": "x", "b": true, "n": nil, "a": [1, 2]]
        #expect(value["i"]?.integerValue == 1)
        #expect(value["w"]?.integerValue == 2)
        #expect(value["d"]?.integerValue == nil)
        #expect(value["d"]?.doubleValue == 1.5)
        #expect(value["i"]?.doubleValue == 1)
        #expect(value["s"]?.stringValue == "x")
        #expect(value["s"]?.doubleValue == nil)
        #expect(value["b"]?.boolValue == true)
        #expect(value["b"]?.integerValue == nil)
        #expect(value["n"]?.isNull == true)
        #expect(value["absent"] == nil)
        #expect(value["a"]?[1] == 2)
        #expect(value["a"]?[2] == nil)
        #expect(value["a"]?.arrayValue?.count == 2)
        #expect(value["s"]?["x"] == nil)
        #expect(value["s"]?[0] == nil)
        #expect(value["s"]?.boolValue == nil)
        #expect(JSONValue.number(1e300).integerValue == nil)
        #expect(JSONValue.integer(1) != .number(1))
    }
}
