// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(1)))
struct AddressGuardTests {
    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1",
        "127.8.8.8", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
        "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
        "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:192.168.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "fc00::1",
        "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    ])
    func `an address that is not public is refused`(_ text: String) throws {
        let bytes = try #require(AddressGuard.bytes(ofNumeric: text))
        #expect(!AddressGuard.isPublic(bytes))
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
        "128.0.0.1", "169.253.0.1", "172.15.255.255", "172.32.0.1", "192.167.255.255", "198.17.255.255",
        "198.20.0.1", "223.255.255.255",
        "2606:4700:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    ])
    func `a public address is let through`(_ text: String) throws {
        let bytes = try #require(AddressGuard.bytes(ofNumeric: text))
        #expect(AddressGuard.isPublic(bytes))
    }

    @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.4.5", "0x7f.1", "2130706433", "::g", "12345::"])
    func `what is no numeric address has no bytes`(_ text: String) {
        #expect(AddressGuard.bytes(ofNumeric: text) == nil)
    }

    @Test func `bytes of another length are refused`() {
        #expect(!AddressGuard.isPublic([UInt8]()))
        #expect(!AddressGuard.isPublic([8, 8, 8]))
    }
}
