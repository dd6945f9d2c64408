// SPDX-License-Identifier: Apache-2.0

/// A request's head, read tolerantly: the simulator judges bytes it gets from our own client and from SDKs.
struct SimulatorRequestHead {
    var method = ""
    var path = ""
    var fields: [String: String] = [:]

    var contentLength: Int { fields["content-length"].flatMap { Int($0) } ?? 0 }
    var isLast: Bool { fields["connection"]?.lowercased() == "close" }

    init(_ bytes: ArraySlice<UInt8>) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: true)
        let words = lines.first?.split(separator: " ") ?? []
        if words.count >= 2 {
            method = String(words[0])
            path = String(words[1])
        }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
    }
}
