// SPDX-License-Identifier: Apache-2.0
import Cryptography
package import HTTPServer
package import Jobs
package import Persistence
import Runtime

extension APIError {
    /// What a storage error means to a client. Routes that can say more catch it themselves.
    package init(_ error: PersistenceError) {
        let cause = error.description
        switch error.code {
        case .notFound: self.init(.notFound, "This does not exist.", cause: cause)
        case .conflict: self.init(.conflict, "Something of that name exists already.", cause: cause)
        case .inUse(let count):
            self.init(.conflict, "This is still in use in \(count) \(count == 1 ? "place" : "places").", cause: cause)
        case .stale: self.init(.conflict, "This was changed in the meantime. Please try again.", cause: cause)
        case .unavailable, .cancelled, .incompatible: self = .unavailable(cause: cause)
        case .internal: self = .internal(cause: cause)
        }
    }

    /// What an error of the queue means to a client.
    package init(_ error: JobQueueError) {
        switch error {
        case .unavailable, .cancelled: self = .unavailable(cause: "job queue")
        case .failed(let cause): self = .internal(cause: cause)
        }
    }

    /// Why a body could not be read. After most of these the server has answered already, or nobody listens.
    package init(_ error: HTTPServerError) {
        switch error.code {
        case .bodyTooLarge: self.init(.payloadTooLarge, "The request's body is too large.")
        case .bodyTimedOut: self.init(.requestTimeout, "The request's body did not arrive in time.")
        case .bodyMalformed: self.init(.validationFailed, "The request's body is not framed as HTTP demands.")
        case .cannotListen, .disconnected, .cancelled: self = .unavailable(cause: error.description)
        }
    }

    /// What the thrower of an untyped call threw: transactions and the blocking pool rethrow what their bodies threw.
    package init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as PersistenceError: self.init(error)
        case let error as JobQueueError: self.init(error)
        case let error as HTTPServerError: self.init(error)
        case let error as CryptographyError where error.isRetryable: self = .unavailable(cause: error.code.rawValue)
        case is BlockingPool.Refusal: self = .unavailable(cause: "the blocking pool is full")
        case is CancellationError: self = .unavailable(cause: "cancelled")
        default:
            let error = PersistenceError(error)
            self.init(error)
        }
    }

    /// Runs a body and maps whatever it throws.
    package static func mapping<Value>(
        _ body: () async throws -> Value
    ) async throws(APIError) -> Value {
        do {
            return try await body()
        } catch {
            throw APIError(error)
        }
    }
}
