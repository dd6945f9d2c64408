// SPDX-License-Identifier: Apache-2.0
import HTTP
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPTargetTests {
    @Test(
        arguments: [
            ("/", [], []),
            ("/a/b", ["a", "b"], []),
            ("/a/", ["a", ""], []),
            ("//a", ["", "a"], []),
            ("/a%2Fb/c%20d", ["a/b", "c d"], []),
            ("/gr%C3%BCn", ["grün"], []),
            ("/a?", ["a"], []),
            ("/a?x=1&y=%26%3D&z", ["a"], ["x=1", "y=&=", "z="]),
            ("/a?q=a+b%2B&&q=2?", ["a"], ["q=a b+", "q=2?"]),
            ("/a?=v", ["a"], ["=v"]),
            ("http://host:80/a?b=c", ["a"], ["b=c"]),
            ("HTTP://host", [], []),
            ("http://host?x=1", [], ["x=1"]),
            ("*", ["*"], []),
        ] as [(String, [String], [String])])
    func `a target is split first and decoded afterwards`(text: String, segments: [String], query: [String]) throws {
        let target = try HTTPTarget(parsing: text.utf8)
        #expect(target.segments == segments)
        #expect(target.query.map { "\($0.name)=\($0.value)" } == query)
    }

    @Test(arguments: [
        "", "a", "/%", "/%4", "/%zz", "/%ff", "/%c3", "/%00", "/a b", "/a#b", "/\u{7F}", "/ü", "/..", "/a/../b",
        "/%2e%2e/b", "/./a", "/a?b=%", "/a?b=%80", "http://", "http:///a", "ftp://host/a", "**",
    ])
    func `a target that two programs could read differently is refused`(text: String) {
        #expect(throws: HTTPError(.invalidTarget, "")) { try HTTPTarget(parsing: text.utf8) }
    }

    @Test func `a query value is the first of its name`() throws {
        let target = try HTTPTarget(parsing: "/?a=1&a=2".utf8)
        #expect(target.queryValue("a") == "1")
        #expect(target.queryValue("b") == nil)
        #expect(target.rawPath == "/")
    }

    @Test func `a media type is parsed with its parameters`() throws {
        let type = try MediaType(parsing: #"Multipart/Form-Data ; Boundary="a\"b;c"; charset=UTF-8;"#)
        #expect(type.essence == "multipart/form-data")
        #expect(type.parameters == ["boundary": "a\"b;c", "charset": "UTF-8"])
        #expect(try MediaType(parsing: "application/json").parameters.isEmpty)
    }

    @Test(arguments: ["", "text", "text/", "/x", "a/b c", "a/b; x", "a/b; x=", "a/b; x=\"y", "a/b; x=1; X=2"])
    func `a malformed media type is refused`(text: String) {
        #expect(throws: HTTPError(.invalidMediaType, "")) { try MediaType(parsing: text) }
    }
}
