// SPDX-License-Identifier: Apache-2.0

/// How much a line matters: `debug` is the path taken, `info` a change of state, `warning` something that
/// will be retried, `error` lost work. Ordered, so that a logger compares instead of looking names up.
package enum LogLevel: UInt8, Sendable, Comparable, CaseIterable {
    case debug, info, warning, error

    /// Reads a value of `LOG_LEVEL`, in any case. `nil` means a word that is not a level, which configuration reports.
    package init?(name: String) {
        guard let level = Self.allCases.first(where: { $0.name == name.lowercased() }) else { return nil }
        self = level
    }

    /// The word written to `level` on each line, and the one `LOG_LEVEL` accepts.
    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// Orders by how much a line matters.
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
