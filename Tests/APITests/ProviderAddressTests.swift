// SPDX-License-Identifier: Apache-2.0
import Persistence
import Testing

@testable import API

struct ProviderAddressTests {
    @Test(arguments: [
        ("https://api.openai.com/v1", ModelProvider.openAI, "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com/v1/", .openAI, "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/chat/completions", .openAI, "https://api.openai.com/v1"),
        ("https://api.example.org/chat/completions?key=secret#top", .openAI, "https://api.example.org"),
        ("http://[2001:4860::8888]:8080/v1/embeddings", .openAI, "http://[2001:4860::8888]:8080/v1"),
        ("https://api.anthropic.com/v1/messages", .anthropic, "https://api.anthropic.com"),
        ("https://proxy.example.org/claude/v1/messages", .anthropic, "https://proxy.example.org/claude"),
        (
            "https://generativelanguage.googleapis.com/v1beta/models/x:generateContent", .google,
            "https://generativelanguage.googleapis.com"
        ),
        ("http://host:11434/api/chat", .ollama, "http://host:11434"),
        (
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21&x=1", .azure,
            "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21"
        ),
        ("https://anything.example.org/x", .local, ""),
    ])
    func `an address is cut to its base`(text: String, provider: ModelProvider, base: String) throws {
        #expect(try #require(ProviderAddress(text)).base(for: provider) == base)
    }

    @Test(arguments: [
        "", "example.org", "ftp://example.org", "http://", "http:///v1", "https://user@example.org", "https://a b",
        "https://exa\u{200B}mple.org", "https://example.org:0", "https://example.org:65536", "https://example.org:",
        "https://example.org:8080:1", "https://[::1", "https://[127.0.0.1]", "https://example..org", "https://%6c",
        "http://2130706433", "http://0x7f.1", "http://127.1", "http://0177.0.0.1", "http://1.2.3.256", "http://a\\b",
        "https://.",
    ])
    func `what two programs could read differently is no address`(text: String) {
        #expect(ProviderAddress(text) == nil)
    }

    @Test(arguments: [
        "localhost", "LOCALHOST", "localhost.", "x.localhost", "127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1",
        "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
        "[::]", "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::10.0.0.1]",
        "[2002:7f00:1::]", "[ff02::1]", "[2001:db8::1]",
    ])
    func `private literals are seen in every form`(host: String) throws {
        #expect(try #require(ProviderAddress("http://\(host)/v1")).isPrivateLiteral)
    }

    @Test(arguments: [
        "example.org", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "[2001:4860:4860::8888]",
        "[::ffff:8.8.8.8]", "localhost.example.org", "10.example.org",
    ])
    func `public hosts are not private`(host: String) throws {
        #expect(try !#require(ProviderAddress("http://\(host)/v1")).isPrivateLiteral)
    }
}
