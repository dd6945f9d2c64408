// SPDX-License-Identifier: Apache-2.0
import HTTP
import HTTPServer
import JSON

/// Turns a request's body into JSON, or says in the contract's words why it is none.
enum JSONBody {
    /// JSON of UTF-8, and nothing else: without a type a browser's cross-site request would pass unasked.
    static func checkType(_ fields: HTTPFields) throws(APIError) {
        let values = fields.values(.contentType)
        guard let value = values.first else { throw unsupported }
        let type: MediaType
        do throws(HTTPError) {
            type = try MediaType(parsing: value)
        } catch {
            throw unsupported
        }
        let charset = type.parameters["charset"]?.lowercased()
        guard values.count == 1, type.essence == "application/json", charset == nil || charset == "utf-8" else {
            throw unsupported
        }
    }

    /// Parses off the event loop when the document is large: a megabyte takes longer than the others should wait.
    static func parse(_ bytes: [UInt8]) async throws(APIError) -> JSONValue {
        bytes.count > largeBytes ? try await parseElsewhere(bytes) : try parseHere(bytes)
    }

    private static let largeBytes = 64 << 10

    private static var unsupported: APIError {
        APIError(.unsupportedMediaType, "The request's body must be application/json in UTF-8.")
    }

    @concurrent
    private static func parseElsewhere(_ bytes: [UInt8]) async throws(APIError) -> JSONValue { try parseHere(bytes) }

    private static func parseHere(_ bytes: [UInt8]) throws(APIError) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(bytes, policy: .storable)
        } catch {
            switch error.kind {
            case .nulCharacter:
                throw .validation(error.path.isEmpty ? "body" : error.path, "must not contain the character U+0000")
            case .unpairedSurrogate:
                throw .validation(error.path.isEmpty ? "body" : error.path, "must not contain an unpaired surrogate")
            case .malformed, .invalidUTF8, .tooDeep, .duplicateKey, .numberOutOfRange:
                throw APIError(
                    .malformedJSON, "The request's body is not valid JSON (at byte \(error.offset)).",
                    cause: error.description)
            }
        }
    }
}
