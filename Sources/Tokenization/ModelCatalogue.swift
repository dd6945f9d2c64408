// SPDX-License-Identifier: Apache-2.0

/// What a model costs, in dollars for a million tokens.
package struct ModelPricing: Sendable, Hashable {
    /// For the prompt.
    package var inputPerMillion: Double
    /// For the reply.
    package var outputPerMillion: Double

    /// See the properties.
    package init(inputPerMillion: Double, outputPerMillion: Double) {
        self.inputPerMillion = inputPerMillion
        self.outputPerMillion = outputPerMillion
    }

    /// The cost in billionths of a dollar, a whole number at every price in use, so that sums do not drift. What
    /// exceeds 64 bits is capped.
    package func costNanodollars(promptTokens: Int, completionTokens: Int) -> Int64 {
        let cost =
            (Double(promptTokens) * inputPerMillion + Double(completionTokens) * outputPerMillion) * 1000 + 0.5
        return cost >= 0x1p63 ? .max : Int64(max(0, cost))
    }
}

/// What is known of a model.
package struct ModelLimits: Sendable, Hashable {
    /// Tokens of prompt and reply together.
    package var contextWindowTokens: Int
    /// The price; `nil` when it is not known, which is not the same as free.
    package var pricing: ModelPricing?
    /// How its family charges for images.
    package var imageCost: ImageCost

    /// See the properties.
    package init(contextWindowTokens: Int, pricing: ModelPricing?, imageCost: ImageCost) {
        self.contextWindowTokens = contextWindowTokens
        self.pricing = pricing
        self.imageCost = imageCost
    }
}

/// Windows and prices by the longest key that a model's name contains.
///
/// Names come with vendors' prefixes, dates and regions (`openai/gpt-4o-2024-08-06`, `us.anthropic.claude-sonnet-4-5`),
/// so equality would miss most of them. Case, and a dot for a dash, do not matter. A key begins where a word does, and
/// one that ends in a digit does not match within a longer number: `o1` is in neither `demo1` nor `o10`.
package struct ModelCatalogue: Sendable {
    /// One line of the table.
    package struct Entry: Sendable, Hashable {
        let key: String
        let contextWindowTokens: Int
        let pricing: ModelPricing?

        /// - Parameters:
        ///   - key: part of a name, in any case.
        ///   - contextWindowTokens: tokens of prompt and reply together.
        ///   - pricing: `nil` when it is not known.
        package init(_ key: String, contextWindowTokens: Int, pricing: ModelPricing? = nil) {
            self.key = ModelCatalogue.normalized(key)
            self.contextWindowTokens = contextWindowTokens
            self.pricing = pricing
        }
    }

    /// Assumed of a model that no key matches: small enough to be safe.
    package static let unknownContextWindowTokens = 8192

    private let entries: [Entry]

    /// - Parameter entries: the built-in table unless given.
    package init(entries: [Entry] = ModelCatalogue.builtIn) {
        self.entries = entries.sorted { $0.key.utf8.count > $1.key.utf8.count }
    }

    /// The line of the longest key in the name; `nil` when none matches.
    package func entry(for model: String) -> Entry? {
        let name = Array(Self.normalized(model).utf8)
        return entries.first { Self.contains(Array($0.key.utf8), in: name) }
    }

    /// What is known of a model, with what its configuration says taking precedence.
    package func limits(
        for model: String, contextWindowTokens: Int? = nil, pricing: ModelPricing? = nil
    ) -> ModelLimits {
        let entry = entry(for: model)
        return ModelLimits(
            contextWindowTokens: contextWindowTokens ?? entry?.contextWindowTokens
                ?? Self.unknownContextWindowTokens,
            pricing: pricing ?? entry?.pricing,
            imageCost: Self.imageCost(of: entry))
    }

    private static func imageCost(of entry: Entry?) -> ImageCost {
        guard let key = entry?.key else { return .unknown }
        if key.hasPrefix("claude") { return .anthropic }
        return key.hasPrefix("gpt") || key.hasPrefix("o1") || key.hasPrefix("o3") || key.hasPrefix("o4")
            ? .openAI : .unknown
    }

    private static func normalized(_ name: String) -> String {
        String(
            decoding: name.utf8.map { byte in
                switch byte {
                case 0x41...0x5A: byte | 0x20
                case UInt8(ascii: "."): UInt8(ascii: "-")
                default: byte
                }
            }, as: UTF8.self)
    }

    private static func contains(_ key: [UInt8], in name: [UInt8]) -> Bool {
        guard !key.isEmpty, key.count <= name.count else { return false }
        return (0...(name.count - key.count)).contains { start in
            let end = start + key.count
            guard start == 0 || !isAlphanumeric(name[start - 1]), name[start..<end].elementsEqual(key) else {
                return false
            }
            return end == name.count || !isDigit(name[end - 1]) || !isDigit(name[end])
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte)
    }
}
