// SPDX-License-Identifier: Apache-2.0

/// A scenario came to nothing.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String

    /// With what was said last.
    init(_ lines: some Sequence<String>) { description = lines.joined(separator: "\n") }
}
