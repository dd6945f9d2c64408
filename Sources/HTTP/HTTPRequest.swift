// SPDX-License-Identifier: Apache-2.0

/// A request's head, checked: what handlers route by. The body is delivered apart from it.
package struct HTTPRequest: Sendable, Equatable {
    /// What to do.
    package var method: HTTPMethod
    /// To what.
    package var target: HTTPTarget
    /// With which details.
    package var fields: HTTPFields

    /// A head from checked parts.
    package init(method: HTTPMethod, target: HTTPTarget, fields: HTTPFields = [:]) {
        self.method = method
        self.target = target
        self.fields = fields
    }
}
