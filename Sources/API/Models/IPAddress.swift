// SPDX-License-Identifier: Apache-2.0

/// A numeric address as text, IPv4 dotted with four decimal numbers or IPv6.
struct IPAddress: Sendable, Hashable {
    /// Sixteen bytes; an IPv4 address in its mapped form.
    let bytes: [UInt8]

    private static let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

    /// `nil` for everything but the plain forms.
    init?(_ text: String) {
        if let four = Self.version4(Substring(text)) {
            bytes = Self.mapped + four
        } else if let sixteen = Self.version6(text) {
            bytes = sixteen
        } else {
            return nil
        }
    }

    /// Whether it is an IPv4 address, also one in its mapped form.
    var isVersion4: Bool { bytes.starts(with: Self.mapped) }

    /// Loopback, private, link-local, unique local, unspecified, multicast and all that is reserved: what a stranger's
    /// configuration must not reach. Forms that carry an IPv4 address (mapped, NAT64, 6to4) are what they carry.
    var isPrivate: Bool {
        if let four = carriedVersion4 { return Self.isPrivate(four) }
        // Global unicast is 2000::/3; of it documentation and Teredo are not.
        if bytes[0] & 0xE0 != 0x20 { return true }
        return bytes.starts(with: [0x20, 0x01, 0x0D, 0xB8]) || bytes.starts(with: [0x20, 0x01, 0, 0])
    }

    private var carriedVersion4: [UInt8]? {
        if isVersion4 { return Array(bytes[12...]) }
        if bytes.starts(with: [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]) { return Array(bytes[12...]) }
        if bytes.starts(with: [0x20, 0x02]) { return Array(bytes[2..<6]) }
        return nil
    }

    private static func isPrivate(_ four: [UInt8]) -> Bool {
        switch (four[0], four[1], four[2]) {
        case (0, _, _), (10, _, _), (127, _, _), (224..., _, _): true
        case (100, 64...127, _), (169, 254, _), (172, 16...31, _), (192, 168, _): true
        case (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 18...19, _), (198, 51, 100), (203, 0, 113): true
        default: false
        }
    }

    private static func version4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part == "0" || part.first != "0", let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2, text.contains(":"), let head = groups(halves[0], isLast: halves.count == 1) else {
            return nil
        }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1], isLast: true), head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func groups(_ text: Substring, isLast: Bool) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(".") {
                guard let four = version4(part) else { return nil }
                bytes += four
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
        }
        return bytes.count <= 16 ? bytes : nil
    }
}
