// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Persistence
import Runtime
import Testing

@testable import API

struct ClientAddressTests {
    private func bucket(
        _ proxies: Int, peer: String?, _ forwarded: [String] = []
    ) throws -> RateLimitBucket {
        var fields: HTTPFields = [:]
        for line in forwarded { fields.append("X-Forwarded-For", try HTTPFieldValue(line)) }
        let head = HTTPRequest(method: .get, target: try HTTPTarget(parsing: "/".utf8), fields: fields)
        let request = ServerRequest(id: "r", head: head, peer: peer.map { SocketAddress(host: $0, port: 9) })
        return ClientAddress(proxies: proxies).bucket(of: request)
    }

    @Test(arguments: [
        ["1.2.3.4"], ["203.0.113.9, 1.2.3.4"], ["unknown"], [""], [",,,"], ["::1"], ["2001:db8::1"], ["127.0.0.1"],
        [String(repeating: "9.9.9.9,", count: 500)], ["1.2.3.4", "5.6.7.8"], ["\u{e4}\u{1F98A}"],
    ])
    func `without a trusted proxy nobody chooses a bucket`(forwarded: [String]) throws {
        #expect(try bucket(0, peer: "198.51.100.7", forwarded) == bucket(0, peer: "198.51.100.7"))
    }

    @Test(arguments: [
        // What one proxy appended is the right-most entry, whatever was sent.
        (1, ["1.2.3.4"], "1.2.3.4"), (1, ["9.9.9.9, 1.2.3.4"], "1.2.3.4"), (1, ["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
        (1, ["garbage, , 1.2.3.4"], "1.2.3.4"), (1, ["10.9.9.9,10.0.0.5"], "10.0.0.5"), (1, [" 1.2.3.4\t"], "1.2.3.4"),
        (1, ["1.2.3.4,"], "1.2.3.4"), (1, ["1.2.3.4, ,"], "1.2.3.4"),
        (1, ["1.2.3.4:5678"], "1.2.3.4"), (1, ["[2001:db8:1:2::9]:443"], "2001:db8:1:2::9"),
        (1, ["[2001:db8:1:2::9]"], "2001:db8:1:2::9"), (1, ["2001:db8:1:2::9"], "2001:db8:1:2::9"),
        (1, ["::ffff:1.2.3.4"], "1.2.3.4"), (1, ["fe80::1%eth0"], "fe80::1"),
        // Two proxies: the second from the right.
        (2, ["9.9.9.9, 1.2.3.4, 10.0.0.1"], "1.2.3.4"), (2, ["9.9.9.9, 1.2.3.4", "10.0.0.1"], "1.2.3.4"),
        (2, ["1.2.3.4"], "1.2.3.4"), (16, ["1.2.3.4, 5.6.7.8"], "1.2.3.4"),
        // What is no address counts as the proxy's own request.
        (1, [], "198.51.100.7"), (1, [""], "198.51.100.7"), (1, [",,"], "198.51.100.7"),
        (1, ["1.2.3.4, unknown"], "198.51.100.7"), (1, ["1.2.3.4, _hidden"], "198.51.100.7"),
        (1, ["1.2.3.4, 999.1.1.1"], "198.51.100.7"), (1, ["1.2.3.4, [::1"], "198.51.100.7"),
        (1, ["1.2.3.4, [::1]x"], "198.51.100.7"), (1, ["1.2.3.4, 5.6.7.8 9"], "198.51.100.7"),
        (1, ["1.2.3.4, :"], "198.51.100.7"), (1, ["1.2.3.4, ]["], "198.51.100.7"),
        (2, ["1.2.3.4, unknown, 10.0.0.1"], "198.51.100.7"),
    ])
    func `behind proxies the entry that the first of them wrote counts`(
        proxies: Int, forwarded: [String], client: String
    ) throws {
        #expect(try bucket(proxies, peer: "198.51.100.7", forwarded) == bucket(0, peer: client))
    }

    @Test(arguments: [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ("1.2.3.4", "1.2.3.5", false), ("1.2.3.4", "::ffff:1.2.3.4", true), ("::1", "127.0.0.1", false),
        ("::1", "0.0.0.0", false), ("fe80::1%eth0", "fe80::2%eth1", true),
    ])
    func `an IPv6 address is counted by its 64 bits of network`(one: String, other: String, isSame: Bool) throws {
        #expect(try (bucket(0, peer: one) == bucket(0, peer: other)) == isSame)
    }

    @Test func `what has no address is counted together`() throws {
        #expect(try bucket(0, peer: nil) == bucket(1, peer: "a socket's path", ["nonsense"]))
        #expect(try bucket(0, peer: nil) != bucket(0, peer: "255.255.255.255"))
    }
}
