// SPDX-License-Identifier: Apache-2.0

extension ModelCatalogue {
    /// The vendors' published windows and list prices; a model's configuration overrides both.
    package static let builtIn: [Entry] =
        [
            line("gpt-3.5-turbo", 16_385, 0.5, 1.5),
            line("gpt-35-turbo", 16_385, 0.5, 1.5),
            line("gpt-4", 8_192, 30, 60),
            line("gpt-4-turbo", 128_000, 10, 30),
            line("gpt-4-1106", 128_000, 10, 30),
            line("gpt-4-0125", 128_000, 10, 30),
            line("gpt-4o", 128_000, 2.5, 10),
            line("gpt-4o-mini", 128_000, 0.15, 0.6),
            line("gpt-4.1", 1_047_576, 2, 8),
            line("gpt-4.1-mini", 1_047_576, 0.4, 1.6),
            line("gpt-4.1-nano", 1_047_576, 0.1, 0.4),
            line("o1", 200_000, 15, 60),
            line("o3", 200_000, 2, 8),
            line("o4-mini", 200_000, 1.1, 4.4),
            line("gpt-5", 400_000, 1.25, 10),
            line("gpt-5-mini", 400_000, 0.25, 2),
            line("gpt-5-nano", 400_000, 0.05, 0.4),

            line("claude-3-haiku", 200_000, 0.25, 1.25),
            line("claude-3-5-sonnet", 200_000, 3, 15),
            line("claude-3-7-sonnet", 200_000, 3, 15),
            line("claude-sonnet-4", 200_000, 3, 15),
            line("claude-sonnet-4-5", 200_000, 3, 15),
            line("claude-haiku-4-5", 200_000, 1, 5),
            line("claude-opus-4-5", 200_000, 5, 25),
            line("claude", 200_000),

            line("gemini", 1_000_000),
            line("gemini-2.5-flash", 1_000_000, 0.3, 2.5),
            line("gemini-2.5-pro", 1_000_000, 1.25, 10),
            line("deepseek", 128_000, 0.28, 0.42),
        ] + claudeFromVersion46

    /// Opus and Sonnet 4-6 and later; a number per line, because a table of substrings knows no order.
    private static let claudeFromVersion46: [Entry] = ["4-6", "4-7", "4-8", "4-9", "5", "6"].flatMap { version in
        [
            line("claude-opus-\(version)", 1_000_000, 5, 25),
            line("claude-sonnet-\(version)", 1_000_000, 3, 15),
        ]
    }

    private static func line(_ key: String, _ window: Int, _ input: Double, _ output: Double) -> Entry {
        Entry(
            key, contextWindowTokens: window, pricing: ModelPricing(inputPerMillion: input, outputPerMillion: output))
    }

    private static func line(_ key: String, _ window: Int) -> Entry {
        Entry(key, contextWindowTokens: window)
    }
}
