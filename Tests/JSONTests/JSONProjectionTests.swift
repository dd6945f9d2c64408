// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONProjectionTests {
    static let chunk = JSONProjection([
        "choices[0].delta.content", "choices[0].finish_reason", "choices[0].delta.tool_calls", "usage.prompt_tokens",
        "usage", "error.message",
    ])

    private func values(_ text: String) throws -> [JSONFragment?] {
        try Self.chunk.values(in: Array(text.utf8).span)
    }

    @Test func `a content chunk gives its text`() throws {
        let values = try values(
            #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":"#
                + #"{"content":"h\u00e9 \ud83d\ude00\n"},"logprobs":null,"finish_reason":null}],"usage":null}"#)
        #expect(values == [.string("hé 😀\n"), .null, nil, nil, .null, nil])
    }

    @Test func `a usage chunk gives numbers and the place of the object`() throws {
        let text = #" {"choices":[],"usage":{"prompt_tokens":9,"details":{"x":[1,"]"]},"total_tokens":21}} "#
        let values = try values(text)
        #expect(values[0] == nil)
        #expect(values[3]?.integerValue == 9)
        let range = try #require(values[4]?.containerRange)
        let usage = try JSONParser.parse(Array(text.utf8).span.extracting(range))
        #expect(usage["total_tokens"] == 21)
    }

    @Test func `tool calls are given as the range of their array`() throws {
        let text =
            #"{"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}"#
        let values = try values(text)
        #expect(values[0] == .null)
        let range = try #require(values[2]?.containerRange)
        let calls = try JSONParser.parse(Array(text.utf8).span.extracting(range))
        #expect(calls[0]?["function"]?["arguments"] == "{\"a\":")
    }

    @Test(
        arguments: [
            (#"{"a":1}"#, .integer(1)), (#"{"a":-1.5}"#, .number(-1.5)), (#"{"a":true}"#, .bool(true)),
            (#"{"a":false,"b":{"a":2}}"#, .bool(false)), (#"{"b":{"a":2}}"#, nil), (#"{"\u0061":"x"}"#, .string("x")),
            (#"{"a":1,"a":2}"#, .integer(2)), (#"{"a":[]}"#, .container(5..<7)),
            (#"{"a":{"b":"}"}}"#, .container(5..<14)),
            ("1", nil), ("[1,2]", nil), ("{}", nil), ("[]", nil), (#""a""#, nil), (#"{"ab":1,"":2}"#, nil),
            (#"{"a":"\ud800\u0000"}"#, .string("\u{FFFD}\u{FFFD}")),
        ] as [(String, JSONFragment?)])
    func `a single key is found wherever it stands`(text: String, expected: JSONFragment?) throws {
        let projection = JSONProjection(["a"])
        #expect(try projection.values(in: Array(text.utf8).span) == [expected])
    }

    @Test func `elements are addressed by their index, also nested`() throws {
        let projection = JSONProjection(["[1]", "[2][0].x", "[2]"])
        let text = #"[0,"one",[{"x":"y"},3]]"#
        #expect(
            try projection.values(in: Array(text.utf8).span) == [.string("one"), .string("y"), .container(9..<22)])
    }

    @Test(
        arguments: [
            "", " ", "{", #"{"a""#, #"{"a":"#, #"{"a":1"#, #"{"a":1,"#, #"{"a":1}}"#, #"{"a":tru}"#, #"{"a":01}"#,
            #"{"b":[}"#, #"{"b":[1"#, #"{"b":"x}"#, #"{"b":{"c":[}]}"#, #"{"b":}"#, #"{b:1}"#, #"{"a":"\x"}"#,
            "<html>", #"{"a":1} x"#, #"{"a":1 "b":2}"#,
        ])
    func `a cut or unbalanced document is refused`(text: String) {
        let projection = JSONProjection(["a"])
        #expect(throws: JSONError.self) { try projection.values(in: Array(text.utf8).span) }
    }

    @Test func `depth is bounded both on and beside the path`() {
        let beside = Array((#"{"b":"# + String(repeating: "[", count: 65)).utf8)
        let error = #expect(throws: JSONError.self) { try JSONProjection(["a"]).values(in: beside.span) }
        #expect(error?.kind == .tooDeep)
        let path = "a" + String(repeating: "[0]", count: 70)
        let along = Array((#"{"a":"# + String(repeating: "[", count: 70)).utf8)
        let deep = #expect(throws: JSONError.self) { try JSONProjection([path]).values(in: along.span) }
        #expect(deep?.kind == .tooDeep)
    }

    @Test func `results of the last document do not leak into the next`() throws {
        let projection = JSONProjection(["a", "b"])
        var values: [JSONFragment?] = []
        try projection.read(Array(#"{"a":1,"b":2}"#.utf8).span, into: &values)
        try projection.read(Array(#"{"b":3}"#.utf8).span, into: &values)
        #expect(values == [nil, .integer(3)])
        #expect(values[1]?.stringValue == nil)
        #expect(values[1]?.containerRange == nil)
    }
}
