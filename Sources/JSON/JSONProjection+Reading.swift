// SPDX-License-Identifier: Apache-2.0

extension JSONProjection {
    func readValue(
        _ input: Span<UInt8>, at node: Int, _ lexer: inout JSONLexer, depth: Int, _ values: inout [JSONFragment?]
    ) throws(JSONError) {
        let first = try lexer.peek(input)
        let start = lexer.position
        let slot = nodes[node].slot
        switch first {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if nodes[node].children.isEmpty {
                try lexer.skipContainer(input)
            } else if first == UInt8(ascii: "{") {
                try readObject(input, at: node, &lexer, depth: depth + 1, &values)
            } else {
                try readArray(input, at: node, &lexer, depth: depth + 1, &values)
            }
            if slot >= 0 { values[slot] = .container(start..<lexer.position) }
        case UInt8(ascii: "\""):
            let raw = try lexer.rawString(input)
            if slot >= 0 { values[slot] = .string(try lexer.decode(raw, input)) }
        case UInt8(ascii: "-"), 0x30...0x39:
            guard slot >= 0 else { return try lexer.skipValue(input) }
            values[slot] = JSONFragment(scalar: try lexer.number(input))
        default:
            let value = try lexer.literal(input)
            if slot >= 0 { values[slot] = JSONFragment(scalar: value) }
        }
    }

    private func readObject(
        _ input: Span<UInt8>, at node: Int, _ lexer: inout JSONLexer, depth: Int, _ values: inout [JSONFragment?]
    ) throws(JSONError) {
        guard depth <= JSONParser.defaultMaximumDepth else { throw JSONError(.tooDeep, at: lexer.position) }
        lexer.position += 1
        if try lexer.peek(input) == UInt8(ascii: "}") {
            lexer.position += 1
            return
        }
        while true {
            guard try lexer.peek(input) == UInt8(ascii: "\"") else { throw lexer.malformed() }
            let key = try lexer.rawString(input)
            try lexer.expect(UInt8(ascii: ":"), input)
            if let child = try child(of: node, key: key, input, lexer) {
                try readValue(input, at: child, &lexer, depth: depth, &values)
            } else {
                try lexer.skipValue(input)
            }
            if try lexer.peek(input) == UInt8(ascii: "}") { break }
            try lexer.expect(UInt8(ascii: ","), input)
        }
        lexer.position += 1
    }

    private func readArray(
        _ input: Span<UInt8>, at node: Int, _ lexer: inout JSONLexer, depth: Int, _ values: inout [JSONFragment?]
    ) throws(JSONError) {
        guard depth <= JSONParser.defaultMaximumDepth else { throw JSONError(.tooDeep, at: lexer.position) }
        lexer.position += 1
        if try lexer.peek(input) == UInt8(ascii: "]") {
            lexer.position += 1
            return
        }
        var index = 0
        while true {
            if let child = nodes[node].children.first(where: { $0.step == .index(index) })?.node {
                try readValue(input, at: child, &lexer, depth: depth, &values)
            } else {
                try lexer.skipValue(input)
            }
            if try lexer.peek(input) == UInt8(ascii: "]") { break }
            try lexer.expect(UInt8(ascii: ","), input)
            index += 1
        }
        lexer.position += 1
    }

    private func child(
        of node: Int, key: JSONLexer.RawString, _ input: Span<UInt8>, _ lexer: JSONLexer
    ) throws(JSONError) -> Int? {
        if key.hasEscapes {
            let decoded = Step.key(Array(try lexer.decode(key, input).utf8))
            return nodes[node].children.first { $0.step == decoded }?.node
        }
        for child in nodes[node].children {
            guard case .key(let bytes) = child.step, bytes.count == key.range.count else { continue }
            var offset = 0
            while offset < bytes.count, input[key.range.lowerBound + offset] == bytes[offset] { offset += 1 }
            if offset == bytes.count { return child.node }
        }
        return nil
    }
}

extension JSONFragment {
    fileprivate init(scalar: JSONValue) {
        switch scalar {
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .null, .array, .object: self = .null
        }
    }
}
