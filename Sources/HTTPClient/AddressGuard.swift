// SPDX-License-Identifier: Apache-2.0
import CCurl

/// Which addresses a request may connect to.
package enum AddressPolicy: Sendable, Hashable {
    /// Any, and through the proxy of the environment if one is set.
    case any
    /// Public unicast addresses only, checked on the address itself at connect time, so that a name that resolves
    /// differently the second time gains nothing. Always connects directly: behind a proxy nothing could be checked.
    case publicOnly
}

/// Tells public unicast addresses from all others. Pure; by the IANA special-purpose registries.
package enum AddressGuard {
    /// Whether an address of 4 or 16 bytes, in network order, is a public unicast one; any other length is not.
    ///
    /// IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4) are judged by it; Teredo is refused.
    package static func isPublic(_ address: some RandomAccessCollection<UInt8>) -> Bool {
        let bytes = Array(address)
        switch bytes.count {
        case 4: return isPublicIPv4(bytes)
        case 16: return isPublicIPv6(bytes)
        default: return false
        }
    }

    /// The bytes of a numeric address in text; a zone is left out. `nil` when it is no numeric address.
    package static func bytes(ofNumeric text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            unsafe ccurl_parse_address(text, buffer.baseAddress)
        }
        return count > 0 ? Array(bytes.prefix(Int(count))) : nil
    }

    private static let forbiddenIPv4: [(prefix: [UInt8], bits: Int)] = [
        ([0, 0, 0, 0], 8),  // this network
        ([10, 0, 0, 0], 8),  // private
        ([100, 64, 0, 0], 10),  // carrier-grade NAT
        ([127, 0, 0, 0], 8),  // loopback
        ([169, 254, 0, 0], 16),  // link-local, cloud metadata
        ([172, 16, 0, 0], 12),  // private
        ([192, 0, 0, 0], 24),  // protocol assignments
        ([192, 0, 2, 0], 24),  // documentation
        ([192, 31, 196, 0], 24),  // AS112
        ([192, 52, 193, 0], 24),  // AMT
        ([192, 88, 99, 0], 24),  // 6to4 relays, deprecated
        ([192, 168, 0, 0], 16),  // private
        ([192, 175, 48, 0], 24),  // AS112
        ([198, 18, 0, 0], 15),  // benchmarks
        ([198, 51, 100, 0], 24),  // documentation
        ([203, 0, 113, 0], 24),  // documentation
        ([224, 0, 0, 0], 4),  // multicast
        ([240, 0, 0, 0], 4),  // reserved, broadcast
    ]

    private static let forbiddenIPv6: [(prefix: [UInt8], bits: Int)] = [
        ([0x20, 0x01, 0x00], 23),  // protocol assignments, Teredo, ORCHID
        ([0x20, 0x01, 0x0D, 0xB8], 32),  // documentation
        ([0x3F, 0xFF, 0x00], 20),  // documentation
    ]

    private static func isPublicIPv4(_ bytes: [UInt8]) -> Bool {
        !forbiddenIPv4.contains { matches(bytes, $0.prefix, bits: $0.bits) }
    }

    private static func isPublicIPv6(_ bytes: [UInt8]) -> Bool {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        if matches(bytes, mapped, bits: 96) { return isPublicIPv4(Array(bytes.suffix(4))) }
        let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
        if matches(bytes, translated, bits: 96) { return isPublicIPv4(Array(bytes.suffix(4))) }
        if matches(bytes, [0x20, 0x02], bits: 16) { return isPublicIPv4(Array(bytes[2..<6])) }
        // Everything outside 2000::/3 is loopback, unspecified, unique local, link-local, multicast or unassigned.
        guard matches(bytes, [0x20], bits: 3) else { return false }
        return !forbiddenIPv6.contains { matches(bytes, $0.prefix, bits: $0.bits) }
    }

    private static func matches(_ bytes: [UInt8], _ prefix: [UInt8], bits: Int) -> Bool {
        let whole = bits / 8
        guard bytes.prefix(whole).elementsEqual(prefix.prefix(whole)) else { return false }
        let rest = bits % 8
        guard rest > 0 else { return true }
        return (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0
    }
}
