// SPDX-License-Identifier: Apache-2.0
package import Chat
package import JSON

extension RequestFields {
    /// A truth value that may be absent; nothing else counts as one.
    package mutating func optionalBool(_ name: String) -> Bool? {
        optional(name, "must be true or false", \.boolValue)
    }

    /// An integer that must be there.
    package mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int {
        required(name, optionalInteger(name, in: range), else: range.lowerBound)
    }

    /// An integer that may be absent.
    package mutating func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        optional(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.integerValue.flatMap { Int(exactly: $0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number that must be there.
    package mutating func number(_ name: String, in range: ClosedRange<Double>) -> Double {
        required(name, optionalNumber(name, in: range), else: range.lowerBound)
    }

    /// A number that may be absent.
    package mutating func optionalNumber(_ name: String, in range: ClosedRange<Double>) -> Double? {
        optional(name, "must be a number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.doubleValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// An object that may be absent, as it is.
    package mutating func optionalObject(_ name: String) -> JSONObject? {
        optional(name, "must be an object", \.objectValue)
    }

    /// An object that may be absent, read by the body.
    package mutating func optionalObject<Value>(
        _ name: String, _ body: (inout RequestFields) -> Value
    ) -> Value? {
        guard let object = optionalObject(name) else { return nil }
        return nested(object, at: place(of: name), body)
    }

    /// An array of texts that may be absent.
    package mutating func optionalStrings(_ name: String, upTo maximum: Int, _ rule: TextRule) -> [String]? {
        guard let elements = array(name, upTo: maximum) else { return nil }
        return elements.enumerated().compactMap { index, element in
            let problem = element.stringValue.map { rule.problem(with: $0) } ?? "must be text"
            if let problem { fail("\(name)[\(index)]", problem) }
            return element.stringValue
        }
    }

    /// An array of ids that may be absent.
    package mutating func optionalIDs<Tag>(_ name: String, upTo maximum: Int) -> [Identifier<Tag>]? {
        guard let elements = array(name, upTo: maximum) else { return nil }
        return elements.enumerated().compactMap { index, element in
            let id = element.stringValue.flatMap { Identifier<Tag>($0) }
            if id == nil { fail("\(name)[\(index)]", "must be an id") }
            return id
        }
    }

    /// An array of objects that may be absent, each read by the body.
    package mutating func optionalObjects<Value>(
        _ name: String, upTo maximum: Int, _ body: (inout RequestFields) -> Value
    ) -> [Value]? {
        guard let elements = array(name, upTo: maximum) else { return nil }
        return elements.enumerated().compactMap { index, element in
            guard let object = element.objectValue else {
                fail("\(name)[\(index)]", "must be an object")
                return nil
            }
            return nested(object, at: "\(place(of: name))[\(index)]", body)
        }
    }

    private mutating func array(_ name: String, upTo maximum: Int) -> [JSONValue]? {
        optional(name, "must be an array of at most \(maximum)") { value in
            value.arrayValue.flatMap { $0.count <= maximum ? $0 : nil }
        }
    }
}
