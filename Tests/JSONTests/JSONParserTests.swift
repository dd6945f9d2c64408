// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONParserTests {
    @Test(
        arguments: [
            ("null", .null), ("true", true), ("false", false), (" \t\r\n1 ", 1), ("0", 0), ("-1", -1),
            ("-0", .number(-0.0)), ("1.0", .number(1)), ("1e2", .number(100)), ("1E+2", .number(100)),
            ("-1.5e-3", .number(-0.0015)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("-9223372036854775809", .number(-9_223_372_036_854_775_808)),
            ("123456789012345678901234567890", .number(1.2345678901234568e29)), ("1e-400", .number(0)),
            ("\"\"", ""), ("\"a\"", "a"), ("\"é😀\"", "é😀"), ("\"\u{7F}\u{2028}\"", "\u{7F}\u{2028}"),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\uD83D\uDE00\ud83d\ude00""#, "é😀😀"),
            (#""\u0000\u001f""#, "\u{0}\u{1F}"), (#""\uDBFF\uDFFF\uFFFF""#, "\u{10FFFF}\u{FFFF}"),
            ("[]", []), ("[ ]", []), ("[1,[2,{}],\"3\"]", [1, [2, [:]], "3"]), ("{}", [:]), ("{ }", [:]),
            ("{\"a\":1,\"b\":{\"a\":2}}", ["a": 1, "b": ["a": 2]]), ("{\"\":null}", ["": nil]),
            ("{ \"a\" : [ 1 , 2 ] }", ["a": [1, 2]]),
        ] as [(String, JSONValue)])
    func `a valid document gives its value`(text: String, value: JSONValue) throws {
        #expect(try JSONParser.parse(text) == value)
    }

    @Test(
        arguments: [
            ("", 0), (" ", 1), ("nul", 3), ("nulll", 4), ("True", 0), ("'a'", 0), ("NaN", 0), ("Infinity", 0),
            ("-", 1), ("-a", 1), ("+1", 0), ("01", 1), ("-01", 2), ("1.", 2), (".5", 0), ("1.e1", 2), ("1e", 2),
            ("1e+", 3), ("0x10", 1), ("1 2", 2), ("1_000", 1), ("--1", 1), ("1,", 1),
            ("\"", 1), ("\"abc", 4), ("\"\\", 2), ("\"\\\"", 3), (#""\x""#, 1), (#""\u12""#, 1), (#""\u123g""#, 1),
            (#""\U0041""#, 1), ("\"\t\"", 1), ("\"a\nb\"", 2), ("\"\u{0}\"", 1), (#"\u0022a""#, 0), ("\"a\"b", 3),
            ("[", 1), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1]]", 3), ("]", 0), ("[1}", 2),
            ("{", 1), ("{\"a\"", 4), ("{\"a\":", 5), ("{\"a\":}", 5), ("{\"a\" 1}", 5), ("{\"a\":1", 6),
            ("{\"a\":1,", 7), ("{\"a\":1,}", 7), ("{,}", 1), ("{a:1}", 1), ("{1:1}", 1), ("{\"a\":1 \"b\":2}", 7),
            ("{\"a\":1}}", 7), ("{\"a\":1]", 6), ("/* */1", 0), ("1//", 1), ("\u{FEFF}1", 0), ("1\u{A0}", 1),
            ("\u{B}1", 0), ("[1\u{0}]", 2), ("<html>", 0), ("data: {}", 0),
        ])
    func `a malformed document is refused at its first fault`(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(text) }
        #expect(error?.kind == .malformed)
        #expect(error?.offset == offset)
    }

    @Test(
        arguments: [
            (#"{"a":["x","\uD800"]}"#, .strict, .unpairedSurrogate, 11, "a[1]"),
            (#"["\uDC00\uD800"]"#, .strict, .unpairedSurrogate, 2, "[0]"),
            (#"["\uD800\u0041"]"#, .storable, .unpairedSurrogate, 2, "[0]"),
            (#"["\uD83D\uD83D\uDE00"]"#, .storable, .unpairedSurrogate, 2, "[0]"),
            (#"{"images":[{"mime":"a\u0000"}]}"#, .storable, .nulCharacter, 21, "images[0].mime"),
            (#"{"a":{"b":1,"b":2}}"#, .strict, .duplicateKey, 12, "a.b"),
            (#"{"b":1,"\u0062":2}"#, .repairing, .duplicateKey, 7, "b"),
            ("[[1e999]]", .strict, .numberOutOfRange, 2, "[0][0]"),
            ("-1e309", .strict, .numberOutOfRange, 0, ""),
        ] as [(String, JSONTextPolicy, JSONError.Kind, Int, String)])
    func `a fault beyond grammar has a kind and a path of its own`(
        text: String, policy: JSONTextPolicy, kind: JSONError.Kind, offset: Int, path: String
    ) {
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(text, policy: policy) }
        #expect(error?.kind == kind)
        #expect(error?.offset == offset)
        #expect(error?.path == path)
        #expect(error?.description == "JSON \(kind.rawValue) at byte \(offset)")
    }

    static let brokenUTF8: [[UInt8]] = [
        [0xFF], [0x80], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
        [0xF4, 0x90, 0x80, 0x80],
        [0xF0, 0x9F, 0x98], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xE2, 0x82],
    ]

    @Test(arguments: brokenUTF8)
    func `broken UTF-8 is an error for people and repaired for providers`(bytes: [UInt8]) throws {
        for escape in ["", "\\n"] {
            let document = Array("[\"a\(escape)".utf8) + bytes + Array("\"]".utf8)
            let error = #expect(throws: JSONError.self) { try JSONParser.parse(document) }
            #expect(error?.kind == .invalidUTF8)
            #expect(error?.offset == 3 + escape.utf8.count)
            let repaired = try JSONParser.parse(document, policy: .repairing)[0]?.stringValue
            #expect(repaired == "a" + (escape.isEmpty ? "" : "\n") + String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test(
        arguments: [
            (#""\uD800""#, "\u{FFFD}"), (#""\uD800x\uDC00""#, "\u{FFFD}x\u{FFFD}"), (#""\u0000""#, "\u{FFFD}"),
            (#""\uD83D\uD83D\uDE00""#, "\u{FFFD}😀"), (#""\uD83D\n""#, "\u{FFFD}\n"),
        ])
    func `repairing replaces what nothing can store`(text: String, repaired: String) throws {
        #expect(try JSONParser.parse(text, policy: .repairing) == .string(repaired))
    }

    @Test(arguments: ["[", "{\"a\":"])
    func `depth is bounded where it was announced`(opening: String) throws {
        let closing = opening == "[" ? "]" : "}"
        func nested(_ depth: Int) -> String {
            String(repeating: opening, count: depth) + "1" + String(repeating: closing, count: depth)
        }
        #expect(throws: Never.self) { try JSONParser.parse(nested(64)) }
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(nested(65)) }
        #expect(error?.kind == .tooDeep)
        let deep = #expect(throws: JSONError.self) { try JSONParser.parse(String(repeating: opening, count: 100_000)) }
        #expect(deep?.kind == .tooDeep)
        #expect(throws: Never.self) { try JSONParser.parse(nested(3), maximumDepth: 3) }
        #expect(throws: JSONError.self) { try JSONParser.parse(nested(4), maximumDepth: 3) }
    }

    @Test func `an object of many keys is parsed in linear time and refuses a late duplicate`() throws {
        let members = (0..<20_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        let value = try JSONParser.parse("{\(members)}")
        #expect(value.objectValue?.count == 20_000)
        #expect(value["k19999"] == 19_999)
        #expect(value["k20000"] == nil)
        let error = #expect(throws: JSONError.self) { try JSONParser.parse("{\(members),\"k7\":1}") }
        #expect(error?.kind == .duplicateKey)
        #expect(error?.path == "k7")
    }

    @Test func `every cut of a document is malformed`() throws {
        let document = Array(#"{"a":[1,-2.5e3,"é\u00e9\"",true,null,{}],"b":{"c":false}}"#.utf8)
        _ = try JSONParser.parse(document)
        for length in 0..<document.count {
            #expect(throws: JSONError.self) { try JSONParser.parse(Array(document[..<length]), policy: .repairing) }
        }
    }
}
