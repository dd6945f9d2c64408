// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// What a client is told when something went wrong: the one error of this module.
///
/// Sentences are for people and may quote what the client sent; `description`, which goes to logs, does not.
package struct APIError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The machine word, which also decides the status.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        case validationFailed = "validation_failed"
        case malformedJSON = "malformed_json"
        case unauthenticated
        case tokenExpired = "token_expired"
        case forbidden
        case notFound = "not_found"
        case requestTimeout = "request_timeout"
        case conflict
        case sessionBusy = "session_busy"
        case payloadTooLarge = "payload_too_large"
        case unsupportedMediaType = "unsupported_media_type"
        case idempotencyMismatch = "idempotency_mismatch"
        case rateLimited = "rate_limited"
        case `internal`
        case unavailable

        /// The status that goes with the word, always the same one.
        package var status: HTTPStatus {
            switch self {
            case .validationFailed, .malformedJSON: .badRequest
            case .unauthenticated, .tokenExpired: .unauthorized
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .requestTimeout: .requestTimeout
            case .conflict, .sessionBusy: .conflict
            case .payloadTooLarge: .contentTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .idempotencyMismatch: .unprocessableContent
            case .rateLimited: .tooManyRequests
            case .internal: .internalServerError
            case .unavailable: .serviceUnavailable
            }
        }
    }

    /// What is wrong with one field of the request.
    package struct FieldError: Sendable, Hashable {
        /// The path within the body, like `images[0].mime`, or the query parameter's name.
        package let field: String
        /// The end of a sentence that begins with the field.
        package let message: String

        /// See the properties.
        package init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    /// What happened.
    package let code: Code
    /// For a person.
    package let sentence: String
    /// All that is wrong with the fields, in the order they were read.
    package let details: [FieldError]
    /// When it makes sense to come back; whole seconds go to the client, rounded up.
    package let retryAfter: Duration?
    /// What caused it, for the log only: codes and ids, never what a person typed.
    package let cause: String

    /// An error with a sentence of its own.
    package init(
        _ code: Code, _ sentence: String, details: [FieldError] = [], retryAfter: Duration? = nil, cause: String = ""
    ) {
        self.code = code
        self.sentence = sentence
        self.details = details
        self.retryAfter = retryAfter
        self.cause = cause
    }

    /// Whether the same request may succeed later without a change.
    package var isRetryable: Bool {
        switch code {
        case .unavailable, .rateLimited, .requestTimeout, .sessionBusy: true
        default: false
        }
    }

    /// The status of the answer.
    package var status: HTTPStatus { code.status }

    /// The word and the cause, without what the client sent.
    package var description: String { cause.isEmpty ? code.rawValue : "\(code.rawValue): \(cause)" }
}

extension APIError {
    /// Field errors, all at once.
    package static func validation(_ details: [FieldError]) -> APIError {
        let first = details.first.map { "\($0.field) \($0.message)" } ?? "a field is wrong"
        let sentence =
            details.count > 1
            ? "The request has \(details.count) errors; the first: \(first)." : "The request is not valid: \(first)."
        return APIError(.validationFailed, sentence, details: details)
    }

    /// One field is wrong.
    package static func validation(_ field: String, _ message: String) -> APIError {
        validation([FieldError(field: field, message: message)])
    }

    /// It does not exist, or it is another user's: the two are answered alike.
    package static func notFound(_ what: String = "This") -> APIError {
        APIError(.notFound, "\(what) does not exist.")
    }

    /// No credentials, or none that are good.
    package static let unauthenticated = APIError(.unauthenticated, "Please log in.")

    /// The database, or something else we need, is away.
    package static func unavailable(cause: String) -> APIError {
        APIError(
            .unavailable, "The service is not available at the moment. Please try again.", retryAfter: .seconds(1),
            cause: cause)
    }

    /// Our fault; nothing of it is shown.
    package static func `internal`(cause: String) -> APIError {
        APIError(.internal, "Something went wrong on our side.", cause: cause)
    }
}
