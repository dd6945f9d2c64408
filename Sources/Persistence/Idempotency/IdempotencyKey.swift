// SPDX-License-Identifier: Apache-2.0
package import Chat
import Cryptography

/// A client's name for one request: the same one again is answered with what the first has made.
package struct IdempotencyKey: Sendable, Hashable {
    /// Whose request.
    package let userID: UserID
    /// The route's pattern, so that a key means different things on different routes.
    package let route: String
    /// As the client sent it.
    package let key: String
    /// SHA-256 of the body as it came over the wire.
    package let bodyHash: [UInt8]

    /// Hashes the body; off the event loops when it is large.
    package init(userID: UserID, route: String, key: String, body: [UInt8]) {
        self.init(userID: userID, route: route, key: key, bodyHash: SHA256.hash(body))
    }

    /// With the hash of a body that was read in pieces.
    package init(userID: UserID, route: String, key: String, bodyHash: [UInt8]) {
        self.userID = userID
        self.route = route
        self.key = key
        self.bodyHash = bodyHash
    }
}

/// What a key stands for.
package enum IdempotencyOutcome: Sendable, Hashable {
    /// Nobody had it: the transaction goes on, and what it makes is what the key stands for once it commits.
    case new
    /// The same request was here: nothing is to be done, and the answer is that of the first.
    case existing(job: JobID?, outcome: String)
    /// Another request had the key: 422.
    case mismatch
}
