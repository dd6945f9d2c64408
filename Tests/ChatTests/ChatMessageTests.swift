// SPDX-License-Identifier: Apache-2.0
import Chat
import JSON
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ChatMessageTests {
    @Test(
        arguments: [
            ("", nil), ("ada", "ada"), ("Ada Lovelace", "Ada_Lovelace"), ("a-b_c9", "a-b_c9"), ("Ünal", "_nal"),
            ("日本", "__"),
            ("a.b@c", "a_b_c"), ("e\u{301}", "e_"), ("\n", "_"), ("😀", "_"),
        ] as [(String, String?)])
    func `a name is made fit for every provider`(name: String, wire: String?) {
        #expect(ChatMessage.wireName(name) == wire)
    }

    @Test func `a name has at most 64 characters`() {
        #expect(ChatMessage.wireName(String(repeating: "é", count: 200)) == String(repeating: "_", count: 64))
        #expect(ChatMessage.wireName(String(repeating: "a", count: 64))?.count == 64)
    }

    @Test(
        arguments: [
            (.text("a\nb"), #"{"type":"text","text":"a\nb"}"#),
            (
                .image(ImagePart(source: .base64("QUJD"), mime: "image/png", width: 2, height: 3)),
                #"{"type":"image","mime":"image/png","data":"QUJD","width":2,"height":3}"#
            ),
            (
                .image(ImagePart(source: .url("https://example.com/a.png"), mime: "image/png", detail: .low)),
                #"{"type":"image","mime":"image/png","url":"https://example.com/a.png","detail":"low"}"#
            ),
        ] as [(MessagePart, String)])
    func `a part is stored as documented and reads back`(part: MessagePart, text: String) throws {
        var writer = JSONWriter()
        part.write(to: &writer)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
        #expect(try MessagePart(JSONParser.parse(writer.bytes)) == part)
    }

    @Test(
        arguments: [
            ("{}", "type"), (#"{"type":"audio"}"#, "type"), (#"{"type":"text"}"#, "text"),
            (#"{"type":"image","mime":"image/png"}"#, "url"), (#"{"type":"image","url":"x"}"#, "mime"),
            (#"{"type":"image","url":"x","mime":"y","detail":"medium"}"#, "detail"),
        ])
    func `a part of another shape names the field`(text: String, field: String) {
        let error = #expect(throws: StoredValueError.self) { try MessagePart(JSONParser.parse(text)) }
        #expect(error?.field == field)
    }

    @Test func `an image's address is its URL or a data URL`() {
        #expect(ImagePart(source: .url("https://e/x"), mime: "image/png").address == "https://e/x")
        #expect(ImagePart(source: .base64("QQ=="), mime: "image/gif").address == "data:image/gif;base64,QQ==")
    }

    @Test(
        arguments: [
            (true, true, .complete), (false, true, .complete), (true, false, .incomplete), (false, false, .failed),
        ] as [(Bool, Bool, MessageStatus)])
    func `a reply that ended is complete, incomplete or failed`(hasText: Bool, isWhole: Bool, status: MessageStatus) {
        #expect(MessageStatus.ended(hasText: hasText, isWhole: isWhole) == status)
        #expect(!status.isPending)
        #expect(MessageStatus.queued.isPending && MessageStatus.streaming.isPending)
    }
}
