// SPDX-License-Identifier: Apache-2.0
package import HTTP

/// One request to a server that is not ours.
package struct HTTPClientRequest: Sendable {
    /// What to do.
    package var method: HTTPMethod
    /// Absolute, http or https, percent-encoded already.
    package var url: String
    /// `Host`, `Content-Length`, `User-Agent` are set by the client unless given; `Expect` is never sent.
    package var fields: HTTPFields
    /// Sent with its length; `nil` sends none.
    package var body: [UInt8]?
    /// How long each part may take.
    package var limits: HTTPClientTimeLimits
    /// Which addresses it may go to.
    package var addressPolicy: AddressPolicy

    /// A request with the default limits to any address.
    package init(
        _ method: HTTPMethod, url: String, fields: HTTPFields = [:], body: [UInt8]? = nil,
        limits: HTTPClientTimeLimits = HTTPClientTimeLimits(), addressPolicy: AddressPolicy = .any
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
        self.limits = limits
        self.addressPolicy = addressPolicy
    }
}

/// How long the parts of an exchange may take; each has an error code of its own.
package struct HTTPClientTimeLimits: Sendable, Hashable {
    /// Resolving, connecting and TLS together, also where an existing connection is reused.
    package var connect: Duration
    /// From the standing connection to the response's head, with the sending of the request.
    package var firstByte: Duration
    /// Silence within the body while the consumer keeps up; time in which we hold the peer back does not count.
    package var idle: Duration
    /// When the whole exchange must be over, however it goes; `nil` for no such bound.
    package var deadline: ContinuousClock.Instant?

    /// 10 s, 120 s, 60 s and no deadline unless given.
    package init(
        connect: Duration = .seconds(10), firstByte: Duration = .seconds(120), idle: Duration = .seconds(60),
        deadline: ContinuousClock.Instant? = nil
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.deadline = deadline
    }
}
