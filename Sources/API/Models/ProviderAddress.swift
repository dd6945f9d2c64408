// SPDX-License-Identifier: Apache-2.0
import Persistence

/// The address a person gives for a provider, taken apart far enough to cut it to its base and to see where it leads.
///
/// Stricter than the standard, because two programs that read an address differently are how the check of private
/// networks is passed by: ASCII only, no credentials, no escapes in the host, numeric hosts only as plain dotted or
/// bracketed addresses.
struct ProviderAddress: Sendable, Hashable {
    static let maximumBytes = 2048

    /// `https` or `http`.
    let scheme: String
    /// Lower case; an IPv6 address in brackets.
    let host: String
    /// With its colon, or empty.
    let port: String
    /// Without a slash at the end; empty for the root.
    let path: String
    /// Azure's `?api-version=…`, without which its classic addresses do not work; empty for anything else: a query
    /// belongs to an endpoint, and may hold a key that others must not see.
    let version: String

    /// `nil` for what is no such address.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maximumBytes,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
        else { return nil }
        let lowercased = text.lowercased()
        guard let scheme = ["https", "http"].first(where: { lowercased.hasPrefix("\($0)://") }) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest.dropFirst(authority.count).prefix { $0 != "?" && $0 != "#" }
        guard let (host, port) = Self.split(authority) else { return nil }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
        var trimmed = path
        while trimmed.last == "/" { trimmed.removeLast() }
        self.path = String(trimmed)
        let query = rest.dropFirst(authority.count + path.count).prefix { $0 != "#" }
        version = query.hasPrefix("?api-version=") ? String(query.prefix { $0 != "&" }) : ""
    }

    /// The text to be stored: without what a provider's client adds itself.
    func base(for provider: ModelProvider) -> String {
        if provider == .local { return "" }
        let query = provider == .azure ? version : ""
        return "\(scheme)://\(host)\(port)\(Self.basePath(path, for: provider))\(query)"
    }

    private static func split(_ authority: Substring) -> (host: Substring, port: String)? {
        var host = authority
        var port: Substring = ""
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            port = authority[authority.index(after: end)...]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[colon...]
        }
        if !port.isEmpty {
            guard port.utf8.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(port.dropFirst()),
                port.first == ":", (1...65_535).contains(number)
            else { return nil }
        }
        return isValid(host: host) ? (host, String(port)) : nil
    }

    private static func isValid(host: Substring) -> Bool {
        if host.first == "[" {
            let literal = String(host.dropFirst().dropLast())
            return literal.contains(":") && IPAddress(literal) != nil
        }
        // A dot at the end is the root of the name system.
        let name = host.last == "." ? host.dropLast() : host
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard !name.isEmpty, name.utf8.count <= 253, labels.allSatisfy(isLabel), let last = labels.last else {
            return false
        }
        // What ends in a number would be read as an IPv4 address: then it must be one in the plain form.
        let looksNumeric = last.utf8.allSatisfy { (0x30...0x39).contains($0) } || last.lowercased().hasPrefix("0x")
        return !looksNumeric || IPAddress(String(name)) != nil
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count)
            && label.utf8.allSatisfy { byte in
                switch byte | 0x20 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"): byte != 0x40
                default: (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                }
            }
    }

    /// People paste the endpoint of the documentation; clients of ours want what lies before it.
    private static func basePath(_ path: String, for provider: ModelProvider) -> String {
        switch provider {
        case .local: ""
        case .openAI, .azure:
            cut(path, endings: ["/chat/completions", "/completions", "/embeddings", "/responses", "/models"])
        case .anthropic: cut(path, from: ["/v1"])
        case .google: cut(path, from: ["/v1beta", "/v1alpha", "/v1"])
        case .ollama: cut(path, from: ["/api", "/v1"])
        }
    }

    private static func cut(_ path: String, endings: [String]) -> String {
        var base = Substring(path)
        if let ending = endings.first(where: { path.lowercased().hasSuffix($0) }) { base = path.dropLast(ending.count) }
        while base.last == "/" { base.removeLast() }
        return String(base)
    }

    /// Cuts before the first part of the path that is one of these.
    private static func cut(_ path: String, from parts: [String]) -> String {
        var base = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            if parts.contains("/\(part.lowercased())") { break }
            base += "/\(part)"
        }
        return base
    }
}

extension ProviderAddress {
    /// Whether the address as written leads into a private network. A name that resolves to such an address is found
    /// when the provider is called; this is for an early answer.
    var isPrivateLiteral: Bool {
        let name = host.last == "." ? String(host.dropLast()) : host
        if name == "localhost" || name.hasSuffix(".localhost") { return true }
        let literal = name.first == "[" ? String(name.dropFirst().dropLast()) : name
        return IPAddress(literal).map(\.isPrivate) ?? false
    }
}
