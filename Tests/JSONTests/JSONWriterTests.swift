// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JSONWriterTests {
    @Test(
        arguments: [
            ("", #""""#), ("plain", #""plain""#), ("é😀", #""é😀""#), ("\"", #""\"""#), ("a\\b", #""a\\b""#),
            ("a/b", #""a/b""#),
            ("\n\r\t\u{8}\u{C}", #""\n\r\t\b\f""#), ("\u{0}\u{1}\u{1F}\u{7F}", "\"\\u0000\\u0001\\u001f\u{7F}\""),
            ("long enough to leave the small form \n", #""long enough to leave the small form \n""#),
        ])
    func `text is escaped where the grammar demands it`(text: String, expected: String) {
        var writer = JSONWriter()
        writer.string(text)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            (0, "0.0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e16, "1e+16"), (.leastNonzeroMagnitude, "5e-324"),
            (.infinity, "null"),
            (-.infinity, "null"), (.nan, "null"), (123_456.789, "123456.789"),
        ] as [(Double, String)])
    func `a number is its shortest exact text`(number: Double, expected: String) {
        var writer = JSONWriter()
        writer.number(number)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    }

    @Test func `commas come by themselves`() {
        var writer = JSONWriter(reservingBytes: 0)
        writer.object { writer in
            writer.member("a", 1)
            writer.member("b", "x")
            writer.member("c", true)
            writer.member("d", 1.5)
            writer.nullMember("e")
            writer.arrayMember("f") { writer in
                writer.integer(Int64.min)
                writer.integer(UInt64.max)
                writer.object { _ in }
                writer.array { $0.array { $0.null() } }
                writer.bool(false)
            }
            writer.objectMember("g") { $0.member("h", ["i": [], "j": "\n"] as JSONValue) }
            writer.key("k")
            writer.verbatim(Array(#"{"raw":1}"#.utf8))
        }
        let expected =
            #"{"a":1,"b":"x","c":true,"d":1.5,"e":null,"f":[-9223372036854775808,18446744073709551615,{},[[null]],false],"#
            + #""g":{"h":{"i":[],"j":"\n"}},"k":{"raw":1}}"#
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
        #expect(JSONWriter.object { $0.member("a", 1) } == Array(#"{"a":1}"#.utf8))
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1, 2, 3])
    func `what is written reads back as the same value`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let value = Self.randomValue(depth: 0, &generator)
            let bytes = JSONWriter.encode(value)
            #expect(try JSONParser.parse(bytes) == value, "seed \(seed)")
            #expect(!bytes.contains { $0 < 0x20 }, "seed \(seed)")
        }
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1, 2, 3])
    func `a damaged document never crashes, and what is accepted is stable`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let projection = JSONProjection(["a", "b.c", "d[0]", "e[1].f"])
        for _ in 0..<300 {
            var bytes = JSONWriter.encode(Self.randomValue(depth: 0, &generator))
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert(Array("{}[]\",:\\0\u{1}e-".utf8).randomElement(using: &generator) ?? 0, at: index)
                }
            }
            for policy in [JSONTextPolicy.strict, .storable, .repairing] {
                do throws(JSONError) {
                    let value = try JSONParser.parse(bytes, policy: policy)
                    #expect(try JSONParser.parse(JSONWriter.encode(value)) == value, "seed \(seed)")
                    #expect(throws: Never.self, "seed \(seed)") { try projection.values(in: bytes.span) }
                } catch {
                    #expect((0...bytes.count).contains(error.offset), "seed \(seed)")
                }
            }
        }
    }

    private static func randomValue(depth: Int, _ generator: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 9 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .integer(Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64, using: &generator))
        case 3:
            let number = Double(bitPattern: generator.next())
            return .number(number.isFinite ? number : 0.5)
        case 4, 5: return .string(randomText(&generator))
        case 6:
            return .array(
                (0..<Int.random(in: 0..<6, using: &generator)).map { _ in randomValue(depth: depth + 1, &generator) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<12, using: &generator) {
                let key = ["a", "b", "c", "d", "e", "f"].randomElement(using: &generator) ?? ""
                object[Bool.random(using: &generator) ? key : randomText(&generator)] = randomValue(
                    depth: depth + 1, &generator)
            }
            return .object(object)
        }
    }

    private static func randomText(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<20, using: &generator) {
            let limit: UInt32 = [0x20, 0x80, 0x800, 0x1_0000, 0x11_0000].randomElement(using: &generator) ?? 0x80
            let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) ?? "\\"
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
