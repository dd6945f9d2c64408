// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import Persistence
import Runtime

/// Where a request comes from, as far as that can be believed.
///
/// Whoever sends a request can write anything into `X-Forwarded-For`; each proxy adds the address that it was called
/// from at the right end. So with n proxies of our own in front of us the n-th entry from the right is the client, and
/// what stands to the left of it is hearsay. Skipping private addresses from the right instead would need no number,
/// but a client within a private network could then name itself.
struct ClientAddress: Sendable, Hashable {
    /// For what has no address: a request made by hand.
    private static let unknown = RateLimitBucket(.address, high: .max, low: .max)

    /// Proxies of our own that a request passes (`TRUST_PROXY`); 0 when `X-Forwarded-For` does not count.
    let proxies: Int

    /// The bucket of a request's address: an IPv4 address, or the /64 of an IPv6 address, of which every subscriber has
    /// at least one to himself.
    func bucket(of request: ServerRequest) -> RateLimitBucket {
        let peer = request.peer.flatMap { Self.address($0.host[...]) }
        return (forwarded(request.head.fields) ?? peer).map(Self.bucket) ?? Self.unknown
    }

    /// `nil` for what no proxy of ours has written, or what is no address: then the peer is counted, which is the
    /// proxy.
    private func forwarded(_ fields: HTTPFields) -> IPAddress? {
        guard proxies > 0 else { return nil }
        var farthest: Substring?
        var count = 0
        for line in fields.values("X-Forwarded-For").reversed() {
            for entry in line.split(separator: ",", omittingEmptySubsequences: true).reversed() {
                let entry = entry.drop { $0 == " " || $0 == "\t" }
                if entry.isEmpty { continue }
                farthest = entry
                count += 1
                if count == proxies { return Self.address(entry) }
            }
        }
        // Fewer than there are proxies: it came in behind the first of them.
        return farthest.flatMap(Self.address)
    }

    /// Some proxies write the port too, and the kernel the zone of a link-local address.
    private static func address(_ text: Substring) -> IPAddress? {
        var text = text
        while text.last == " " || text.last == "\t" { text.removeLast() }
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            text = text[text.index(after: text.startIndex)..<end]
        } else if let colon = text.firstIndex(of: ":"), colon == text.lastIndex(of: ":") {
            text = text[..<colon]
        }
        if let zone = text.firstIndex(of: "%") { text = text[..<zone] }
        return IPAddress(String(text))
    }

    private static func bucket(_ address: IPAddress) -> RateLimitBucket {
        func half(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let (high, low) = (half(address.bytes[..<8]), half(address.bytes[8...]))
        return RateLimitBucket(.address, high: high, low: address.isVersion4 ? low : 0)
    }
}
