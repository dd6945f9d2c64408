// SPDX-License-Identifier: Apache-2.0
import HTTP
package import HTTPServer
import JSON

extension APIResponse {
    /// The error envelope for what is refused before any handler runs: unknown addresses and methods, and all that
    /// the server refuses below the router. To be given to the server and to the router.
    package static func refusal(_ refusal: RequestRefusal, requestID: String) -> ServerResponse {
        let bytes = JSONWriter.object { writer in
            writer.member("success", false)
            writer.member("error", refusal.sentence.description)
            writer.member("code", refusal.code.description)
            writer.member("requestId", requestID)
            writer.nullMember("data")
        }
        var fields = refusal.fields
        fields.set(.contentType, "application/json; charset=utf-8")
        fields.set(.cacheControl, "no-store")
        return ServerResponse(refusal.status, fields: fields, body: .bytes(bytes))
    }
}
