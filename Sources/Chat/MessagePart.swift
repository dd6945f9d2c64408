// SPDX-License-Identifier: Apache-2.0
package import JSON

/// A part of a message beside its text.
package enum MessagePart: Sendable, Hashable {
    case text(String)
    case image(ImagePart)
}

/// An image of a message.
package struct ImagePart: Sendable, Hashable {
    /// Where the bytes are.
    package enum Source: Sendable, Hashable {
        /// In the message itself, as base64 without a `data:` prefix.
        case base64(String)
        /// At an address that the provider fetches.
        case url(String)
    }

    /// How closely the model looks, which decides the price with some providers.
    package enum Detail: String, Sendable, Hashable {
        case low
        case high
    }

    /// Where the bytes are.
    package var source: Source
    /// Like `image/png`.
    package var mime: String
    /// Width in pixels, where the header could be read.
    package var width: Int?
    /// Height in pixels, where the header could be read.
    package var height: Int?
    /// High unless a client asks otherwise.
    package var detail: Detail

    /// See the properties.
    package init(source: Source, mime: String, width: Int? = nil, height: Int? = nil, detail: Detail = .high) {
        self.source = source
        self.mime = mime
        self.width = width
        self.height = height
        self.detail = detail
    }

    /// The address providers of OpenAI's form take: the URL, or a data URL.
    package var address: String {
        switch source {
        case .base64(let data): "data:\(mime);base64,\(data)"
        case .url(let url): url
        }
    }
}

extension MessagePart {
    /// Writes the part as it is stored: `{"type":"image","mime":…,"data"|"url":…,…}`.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .text(let text):
                writer.member("type", "text")
                writer.member("text", text)
            case .image(let image):
                writer.member("type", "image")
                writer.member("mime", image.mime)
                switch image.source {
                case .base64(let data): writer.member("data", data)
                case .url(let url): writer.member("url", url)
                }
                if let width = image.width { writer.member("width", width) }
                if let height = image.height { writer.member("height", height) }
                if image.detail != .high { writer.member("detail", image.detail.rawValue) }
            }
        }
    }

    /// Reads a stored part.
    /// - Throws: ``StoredValueError`` when it has another shape.
    package init(_ value: JSONValue) throws(StoredValueError) {
        let fields = try StoredObject(value)
        switch try fields.string("type") {
        case "text": self = .text(try fields.string("text"))
        case "image":
            let source: ImagePart.Source =
                if let data = try fields.optionalString("data") {
                    .base64(data)
                } else {
                    .url(try fields.string("url"))
                }
            self = .image(
                ImagePart(
                    source: source, mime: try fields.string("mime"), width: try fields.optionalInteger("width"),
                    height: try fields.optionalInteger("height"),
                    detail: try fields.optional("detail") { $0.stringValue.flatMap(ImagePart.Detail.init) } ?? .high))
        default: throw StoredValueError(field: "type", reason: "is unknown")
        }
    }
}
