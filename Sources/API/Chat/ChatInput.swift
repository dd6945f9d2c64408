// SPDX-License-Identifier: Apache-2.0
import Chat
import Cryptography
import HTTP
import JSON
import Persistence

/// What a person sends to have a reply, checked.
struct ChatInput: Sendable {
    /// How files are given to the model; checked, and without effect where there are no files.
    enum FileMode: String, CaseIterable { case semantic, full }

    /// In Unicode scalars; about as much as any model's window holds.
    static let maximumContentLength = 1 << 20
    private static let key = TextRule(length: 1...255) { text in
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? nil : "must be printable ASCII"
    }

    let sessionID: SessionID
    let content: String
    let images: [ImagePart]
    let parentMessageID: MessageID?
    let modelID: ModelID?
    let parameters: JSONObject
    let clientMessageID: String?
    let onBusy: NewTurn.OnBusy

    init(_ fields: inout RequestFields) {
        sessionID = fields.id("sessionId")
        images = ImageInput.read(&fields)
        // A picture needs no words.
        content =
            fields.has("images") && fields.value("images")?.arrayValue?.isEmpty == false
            ? fields.optionalString("content", TextRule(length: 0...Self.maximumContentLength)) ?? ""
            : fields.string("content", .notBlank(upTo: Self.maximumContentLength))
        parentMessageID = fields.optionalID("parentMessageId")
        modelID = fields.optionalID("modelId")
        parameters = fields.optionalParameters("params") ?? [:]
        clientMessageID = fields.optionalString("clientMessageId", Self.key)
        onBusy = fields.optionalWord("onBusy") ?? .queue
        let _: FileMode? = fields.optionalWord("fileMode")
        let files: [FileID] = fields.optionalIDs("fileIds", upTo: 100) ?? []
        if !files.isEmpty { fields.fail("fileIds", "names files that are not available") }
    }

    /// The client's name for the request: the header, or the message's.
    func idempotencyKey(_ fields: HTTPFields) throws(APIError) -> String? {
        try Self.idempotencyKey(fields) ?? clientMessageID
    }

    /// The header's key alone.
    static func idempotencyKey(_ fields: HTTPFields) throws(APIError) -> String? {
        guard let header = fields[.idempotencyKey] else { return nil }
        if let problem = Self.key.problem(with: header) { throw .validation("Idempotency-Key", problem) }
        return header
    }
}
