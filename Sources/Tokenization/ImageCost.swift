// SPDX-License-Identifier: Apache-2.0
package import Chat

/// How a family of models charges for images.
package enum ImageCost: Sendable, Hashable {
    /// Tiles of 512 pixels after scaling, or a flat price for low detail.
    case openAI
    /// By area after scaling.
    case anthropic
    /// Not known: a flat guess.
    case unknown

    /// What an image costs when its size or the rule is not known.
    package static let unknownTokens = 1024

    /// What one image costs. An image without a known size costs `unknownTokens`, but with low detail OpenAI's price
    /// does not depend on it.
    package func tokens(for image: ImagePart) -> Int {
        if self == .openAI, image.detail == .low { return Self.openAIBaseTokens }
        guard let width = image.width, let height = image.height, width > 0, height > 0 else {
            return Self.unknownTokens
        }
        switch self {
        case .openAI: return Self.openAITokens(width: width, height: height)
        case .anthropic: return Self.anthropicTokens(width: width, height: height)
        case .unknown: return Self.unknownTokens
        }
    }

    private static let openAIBaseTokens = 85
    private static let openAITileTokens = 170

    /// Scaled down into 2048 by 2048, then to a short side of 768; 85 and 170 for each tile of 512 begun.
    private static func openAITokens(width: Int, height: Int) -> Int {
        var (width, height) = (Double(width), Double(height))
        let fit = min(1, 2048 / max(width, height))
        (width, height) = (width * fit, height * fit)
        let shrink = min(1, 768 / min(width, height))
        (width, height) = (width * shrink, height * shrink)
        return openAIBaseTokens + openAITileTokens * tiles(width) * tiles(height)
    }

    private static func tiles(_ length: Double) -> Int {
        // A length scaled to a multiple of 512 may come out a hair above it.
        max(1, ceiling(length / 512 - 1e-9))
    }

    /// Scaled down to a long side of 1568; a token for every 750 pixels begun.
    private static func anthropicTokens(width: Int, height: Int) -> Int {
        let shrink = min(1, 1568 / Double(max(width, height)))
        return ceiling(Double(width) * shrink * (Double(height) * shrink) / 750 - 1e-9)
    }

    private static func ceiling(_ value: Double) -> Int {
        let whole = Int(value)
        return Double(whole) < value ? whole + 1 : whole
    }
}
