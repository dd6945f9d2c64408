// SPDX-License-Identifier: Apache-2.0
import HTTP
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPFieldsTests {
    @Test func `fields keep their order and are found without regard to case`() {
        var fields: HTTPFields = ["Content-Type": "text/plain", "X-A": "1"]
        fields.append("x-a", "2")
        #expect(fields["CONTENT-TYPE"] == "text/plain")
        #expect(fields.values("X-a") == ["1", "2"])
        #expect(fields.map(\.name.text) == ["Content-Type", "X-A", "x-a"])
        fields.set("X-A", "3")
        #expect(fields.values("X-A") == ["3"])
        fields.remove("content-type")
        #expect(fields[.contentType] == nil)
    }

    @Test func `a list member is found among several fields and blanks`() {
        let fields: HTTPFields = ["Connection": "keep-alive ,\tUpgrade", "connection": "Close"]
        #expect(fields.hasMember("upgrade", in: .connection))
        #expect(fields.hasMember("close", in: .connection))
        #expect(!fields.hasMember("clos", in: .connection))
    }

    @Test(arguments: ["a\r\nSet-Cookie: x", "a\nb", "\u{0}", "a\rb", "\u{7F}", "\u{1B}[1m"])
    func `a value with control characters cannot be made`(text: String) {
        #expect(throws: HTTPError(.invalidFieldValue, "")) { try HTTPFieldValue(text) }
        #expect(!HTTPFieldValue(replacingControls: text).text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
    }

    @Test(arguments: ["", "a b", "a:", "a\r\n", "ä", "a\u{0}"])
    func `a name that is no token cannot be made`(text: String) {
        #expect(throws: HTTPError(.invalidFieldName, "")) { try HTTPFieldName(text) }
    }

    @Test(arguments: [(" \ta b\tc ", "a b\tc"), ("  ", ""), ("grün", "grün")])
    func `values lose surrounding blanks only`(text: String, kept: String) throws {
        #expect(try HTTPFieldValue(text).text == kept)
    }

    @Test func `a response head is written line by line`() {
        var bytes: [UInt8] = []
        HTTPResponse(.notFound, fields: ["A": "b", "C": "d"]).encode(into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "HTTP/1.1 404 Not Found\r\nA: b\r\nC: d\r\n")
    }

    @Test func `statuses are known by code`() {
        #expect(HTTPStatus(code: 431) == .headersTooLarge)
        #expect(HTTPStatus(code: 431)?.reason.description == "Request Header Fields Too Large")
        #expect(HTTPStatus(code: 299)?.statusClass == 2)
        #expect(HTTPStatus(code: 99) == nil)
        #expect(HTTPStatus.noContent.forbidsBody)
        #expect(!HTTPStatus.ok.forbidsBody)
    }
}
