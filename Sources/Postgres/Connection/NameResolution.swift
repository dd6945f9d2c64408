// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Host names to addresses. Waits for the network: for the blocking pool and threads of one's own.
enum NameResolution {
    /// Whether the text is an address already; never waits.
    static func isAddress(_ host: String) -> Bool { !lookUp(host, AI_NUMERICHOST).isEmpty }

    /// Every address of a host, best first.
    ///
    /// - Throws: `connectionFailed` when there is none.
    static func addresses(of host: String) throws(PostgresError) -> [String] {
        let addresses = lookUp(host, 0)
        guard !addresses.isEmpty else {
            throw PostgresError(.connectionFailed, detail: "the host \(host) has no address")
        }
        return addresses
    }

    private static func lookUp(_ host: String, _ flags: Int32) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = flags
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0, let first = unsafe list else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [String] = []
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let entry = unsafe next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let failure = unsafe getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if failure == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                if !addresses.contains(address) { addresses.append(address) }
            }
            unsafe next = unsafe entry.pointee.ai_next
        }
        return addresses
    }
}
