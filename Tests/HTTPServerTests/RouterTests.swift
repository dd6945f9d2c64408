// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RouterTests {
    private func router() -> Router {
        var router = Router()
        func route(_ method: HTTPMethod, _ pattern: String) {
            router.on(method, pattern) { request in
                let values = request.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return ServerResponse(.ok, body: .bytes(Array("\(request.route) \(values)".utf8)))
            }
        }
        route(.get, "/")
        route(.get, "/a")
        route(.post, "/a")
        route(.get, "/a/:id")
        route(.get, "/a/new")
        route(.delete, "/a/:id")
        route(.get, "/a/:id/b/:name")
        route(.get, "/a/new/b")
        return router
    }

    private func ask(_ router: Router, _ method: HTTPMethod, _ target: String) async throws -> ServerResponse {
        let head = HTTPRequest(method: method, target: try HTTPTarget(parsing: target.utf8))
        return await router.respond(to: ServerRequest(id: "r", head: head))
    }

    private func text(_ response: ServerResponse) -> String {
        if case .bytes(let bytes) = response.body { String(decoding: bytes, as: UTF8.self) } else { "" }
    }

    @Test(arguments: [
        ("/", "/ []"), ("/a", "/a []"), ("/a?x=y", "/a []"), ("/a/7", "/a/:id [\"id=7\"]"), ("/a/new", "/a/new []"),
        ("/a/x%2Fy", "/a/:id [\"id=x/y\"]"), ("/a/new/b/c", "/a/:id/b/:name [\"id=new\", \"name=c\"]"),
        ("/a/new/b", "/a/new/b []"),
    ])
    func `a path finds its route and its values`(target: String, expected: String) async throws {
        #expect(text(try await ask(router(), .get, target)) == expected)
        #expect(text(try await ask(router(), .head, target)) == expected)
    }

    @Test(arguments: ["/b", "/a/", "//", "/a/7/b", "/a//b/c", "/A"])
    func `an unknown path is 404`(target: String) async throws {
        #expect(try await ask(router(), .get, target).status == .notFound)
    }

    @Test(arguments: [
        (HTTPMethod.delete, "/a", "GET, HEAD, POST"), (.post, "/a/7", "GET, HEAD, DELETE"),
        (.options, "/", "GET, HEAD"),
    ])
    func `another method is 405 with those there are`(method: HTTPMethod, target: String, allowed: String) async throws
    {
        let response = try await ask(router(), method, target)
        #expect(response.status == .methodNotAllowed)
        #expect(response.fields[.allow] == allowed)
    }

    @Test func `a route's rules are known before its body`() throws {
        var router = router()
        router.on(.post, "/big", policy: RequestPolicy(maxBodyBytes: 7, cancelsOnDisconnect: false)) { _ in
            ServerResponse(.ok)
        }
        let head = HTTPRequest(method: .post, target: try HTTPTarget(parsing: "/big".utf8))
        #expect(router.policy(for: head).maxBodyBytes == 7)
        #expect(!router.policy(for: head).cancelsOnDisconnect)
        #expect(router.allowedMethods(for: head.target) == [.post])
    }

    @Test func `middleware wraps everything in order and may answer itself`() async throws {
        var router = router()
        for name in ["1", "2"] {
            router.use { request, next in
                if request.head.method == .options { return ServerResponse(.noContent) }
                var response = await next(request)
                response.fields.append("X-Seen", HTTPFieldValue(replacingControls: name + request.route))
                return response
            }
        }
        #expect(try await ask(router, .options, "/a").status == .noContent)
        #expect(try await ask(router, .get, "/a").fields.values("X-Seen") == ["2/a", "1/a"])
        #expect(try await ask(router, .get, "/none").fields.values("X-Seen") == ["2", "1"])
    }
}
