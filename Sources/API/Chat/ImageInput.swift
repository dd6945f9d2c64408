// SPDX-License-Identifier: Apache-2.0
import Chat
import Tokenization

/// The images of a message: `{data (base64) | url, mime}`.
enum ImageInput {
    static let maximumCount = 16
    /// Base64 characters of one image: 15 MiB of bytes.
    static let maximumDataLength = 20 << 20
    private static let mimes: Set<String> = ["image/png", "image/jpeg", "image/gif", "image/webp"]
    private static let url = TextRule(length: 1...8192) { text in
        let isWeb = text.hasPrefix("https://") || text.hasPrefix("http://")
        return isWeb && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? nil : "must be an http or https address"
    }
    private static let type = TextRule(length: 1...64) { text in
        mimes.contains(text) ? nil : "must be one of \(mimes.sorted().joined(separator: ", "))"
    }
    /// Enough for the size of every format but a JPEG with a long preamble.
    private static let headerLength = 64 << 10

    static func read(_ fields: inout RequestFields) -> [ImagePart] {
        let images = fields.optionalObjects("images", upTo: maximumCount) { image(&$0) } ?? []
        return images.compactMap { $0 }
    }

    private static func image(_ fields: inout RequestFields) -> ImagePart? {
        let data = fields.optionalString("data", TextRule(length: 1...maximumDataLength))
        let address = fields.optionalString("url", url)
        let mime = fields.string("mime", type)
        switch (data, address) {
        case (let data?, nil):
            // Browsers hand out data URLs.
            let digits = payload(of: data)
            guard let header = decodedHeader(digits) else {
                fields.fail("data", "must be base64")
                return nil
            }
            let size = ImageSize(header: header.span)
            return ImagePart(source: .base64(String(digits)), mime: mime, width: size?.width, height: size?.height)
        case (nil, let address?): return ImagePart(source: .url(address), mime: mime)
        case (_?, _?): fields.fail("url", "must not be given together with data")
        case (nil, nil): if !fields.has("data") && !fields.has("url") { fields.fail("data", "or url is required") }
        }
        return nil
    }

    private static func payload(of data: String) -> Substring {
        guard data.hasPrefix("data:"), let comma = data.firstIndex(of: ",") else { return data[...] }
        return data[data.index(after: comma)...]
    }

    /// The first bytes; nil when anything of it is no base64.
    private static func decodedHeader(_ digits: Substring) -> [UInt8]? {
        let digits = digits.utf8
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for digit in digits {
            let value: UInt32
            switch digit {
            case 0x41...0x5A where padding == 0: value = UInt32(digit - 0x41)
            case 0x61...0x7A where padding == 0: value = UInt32(digit - 0x61 + 26)
            case 0x30...0x39 where padding == 0: value = UInt32(digit - 0x30 + 52)
            case UInt8(ascii: "+") where padding == 0: value = 62
            case UInt8(ascii: "/") where padding == 0: value = 63
            case UInt8(ascii: "="):
                padding += 1
                continue
            default: return nil
            }
            count += 1
            guard bytes.count < headerLength else { continue }
            bits = bits << 6 | value
            if count % 4 == 0 {
                bytes += [UInt8(bits >> 16 & 0xFF), UInt8(bits >> 8 & 0xFF), UInt8(bits & 0xFF)]
                bits = 0
            }
        }
        let isPadded = padding == 0 ? count % 4 != 1 : padding <= 2 && (count + padding) % 4 == 0
        return count > 0 && isPadded ? bytes : nil
    }
}
