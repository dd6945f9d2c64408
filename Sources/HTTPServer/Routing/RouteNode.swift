// SPDX-License-Identifier: Apache-2.0
import HTTP

/// A path part of the routing tree.
struct RouteNode: Sendable {
    private var literals: [String: RouteNode] = [:]
    /// At most one: the node of a `:name` part, in an array because a value cannot hold itself.
    private var parameter: [RouteNode] = []
    private var routes: [HTTPMethod: Router.Route] = [:]

    /// HEAD comes with GET.
    var methods: [HTTPMethod] {
        HTTPMethod.allCases.filter { route($0) != nil }
    }

    func route(_ method: HTTPMethod) -> Router.Route? {
        routes[method] ?? (method == .head ? routes[.get] : nil)
    }

    mutating func insert(_ route: Router.Route, _ method: HTTPMethod, _ parts: ArraySlice<String>) {
        guard let part = parts.first else {
            precondition(routes[method] == nil, "a route is registered twice")
            routes[method] = route
            return
        }
        if part.hasPrefix(":") {
            if parameter.isEmpty { parameter = [RouteNode()] }
            parameter[0].insert(route, method, parts.dropFirst())
        } else {
            literals[part, default: RouteNode()].insert(route, method, parts.dropFirst())
        }
    }

    /// The node of a path and the values of its `:name` parts. An empty part is no value.
    func find(_ parts: ArraySlice<String>) -> (node: RouteNode?, values: [String]) {
        guard let part = parts.first else { return routes.isEmpty ? (nil, []) : (self, []) }
        if let literal = literals[part] {
            let found = literal.find(parts.dropFirst())
            if found.node != nil { return found }
        }
        guard let next = parameter.first, !part.isEmpty else { return (nil, []) }
        let found = next.find(parts.dropFirst())
        return (found.node, [part] + found.values)
    }
}
