// SPDX-License-Identifier: Apache-2.0
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(1)))
struct ModelCatalogueTests {
    private let catalogue = ModelCatalogue()

    @Test(
        arguments: [
            ("gpt-3.5-turbo", 16_385, 0.5, 1.5), ("gpt-35-turbo-16k", 16_385, 0.5, 1.5), ("gpt-4", 8_192, 30, 60),
            ("gpt-4-0613", 8_192, 30, 60), ("gpt-4-turbo-2024-04-09", 128_000, 10, 30),
            ("gpt-4-1106-preview", 128_000, 10, 30),
            ("gpt-4o", 128_000, 2.5, 10), ("GPT-4o-2024-08-06", 128_000, 2.5, 10),
            ("openai/gpt-4o-mini", 128_000, 0.15, 0.6),
            ("gpt-4.1", 1_047_576, 2, 8), ("gpt-4.1-mini", 1_047_576, 0.4, 1.6),
            ("gpt-4.1-nano-2025", 1_047_576, 0.1, 0.4),
            ("o1", 200_000, 15, 60), ("o3-2025-04-16", 200_000, 2, 8), ("openai/o4-mini", 200_000, 1.1, 4.4),
            ("gpt-5", 400_000, 1.25, 10), ("gpt-5-mini", 400_000, 0.25, 2), ("gpt-5-nano", 400_000, 0.05, 0.4),
            ("claude-3-haiku-20240307", 200_000, 0.25, 1.25), ("claude-3-5-sonnet-latest", 200_000, 3, 15),
            ("anthropic.claude-3-7-sonnet-v1:0", 200_000, 3, 15), ("claude-sonnet-4-20250514", 200_000, 3, 15),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 200_000, 3, 15),
            ("anthropic/claude-sonnet-4.5", 200_000, 3, 15),
            ("claude-haiku-4-5", 200_000, 1, 5), ("claude-opus-4-5", 200_000, 5, 25),
            ("claude-opus-4-6", 1_000_000, 5, 25),
            ("claude-sonnet-4-6", 1_000_000, 3, 15), ("claude-opus-5", 1_000_000, 5, 25),
            ("gemini-2.5-flash", 1_000_000, 0.3, 2.5), ("gemini-2.5-pro", 1_000_000, 1.25, 10),
            ("deepseek-chat", 128_000, 0.28, 0.42),
        ] as [(String, Int, Double, Double)])
    func `a model's window and price follow from the longest key in its name`(
        model: String, window: Int, input: Double, output: Double
    ) {
        let limits = catalogue.limits(for: model)
        #expect(limits.contextWindowTokens == window)
        #expect(limits.pricing == ModelPricing(inputPerMillion: input, outputPerMillion: output))
    }

    @Test(
        arguments: [
            ("gemini-1.5-pro", 1_000_000), ("gemini-3-pro-preview", 1_000_000), ("claude-instant", 200_000),
            ("demo1", 8_192),
            ("o10", 8_192), ("foo3-bar", 8_192), ("gpt-45", 8_192), ("llama3.1:8b", 8_192), ("", 8_192),
            ("local", 8_192),
        ])
    func `a model without a known price has none`(model: String, window: Int) {
        let limits = catalogue.limits(for: model)
        #expect(limits.contextWindowTokens == window)
        #expect(limits.pricing == nil)
    }

    @Test func `what the configuration says takes precedence`() {
        let price = ModelPricing(inputPerMillion: 1, outputPerMillion: 2)
        let limits = catalogue.limits(for: "gpt-4o", contextWindowTokens: 32_000, pricing: price)
        #expect(limits == ModelLimits(contextWindowTokens: 32_000, pricing: price, imageCost: .openAI))
        #expect(catalogue.limits(for: "gpt-4o", contextWindowTokens: 32_000).pricing?.inputPerMillion == 2.5)
        let own = ModelCatalogue(entries: [
            .init("Mine", contextWindowTokens: 5), .init("mine-long", contextWindowTokens: 6),
        ])
        #expect(own.limits(for: "MINE-1").contextWindowTokens == 5)
        #expect(own.limits(for: "mine-long").contextWindowTokens == 6)
        #expect(own.entry(for: "gpt-4o") == nil)
    }

    @Test(
        arguments: [
            ("gpt-4o", .openAI), ("o4-mini", .openAI), ("claude-sonnet-4-5", .anthropic), ("gemini-2.5-pro", .unknown),
            ("llava", .unknown),
        ] as [(String, ImageCost)])
    func `images cost as the model's family charges`(model: String, cost: ImageCost) {
        #expect(catalogue.limits(for: model).imageCost == cost)
    }

    @Test(
        arguments: [
            (0.05, 0.4, 1, 1, 450), (2.5, 10, 1_000_000, 1_000_000, 12_500_000_000), (0.1, 0.2, 3, 0, 300),
            (1, 1, 0, 0, 0),
            (30, 60, 1, 0, 30_000), (1, 1, -5, 0, 0), (1e9, 1e9, .max, .max, .max),
        ] as [(Double, Double, Int, Int, Int64)])
    func `cost is exact in billionths of a dollar`(
        input: Double, output: Double, prompt: Int, completion: Int, nanodollars: Int64
    ) {
        let pricing = ModelPricing(inputPerMillion: input, outputPerMillion: output)
        #expect(pricing.costNanodollars(promptTokens: prompt, completionTokens: completion) == nanodollars)
    }
}
