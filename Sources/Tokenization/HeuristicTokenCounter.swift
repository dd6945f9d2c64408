// SPDX-License-Identifier: Apache-2.0

/// Counts without rank files: four ASCII characters are a token, and every other Unicode scalar is one. It errs high
/// for most languages, so that a prompt planned with it fits.
package struct HeuristicTokenCounter: TokenCounter {
    /// Marks counts to be made anew once an exact counter is there.
    package let encodingName = "heuristic"
    /// Always: usage made of these counts says so.
    package let isEstimate = true

    /// Needs nothing.
    package init() {}

    /// A quarter of the ASCII characters, rounded up, and all other scalars. Reads the bytes once.
    package func countTokens(in text: String) -> Int {
        var ascii = 0
        var others = 0
        for byte in text.utf8 {
            if byte < 0x80 {
                ascii += 1
            } else if byte >= 0xC0 {
                others += 1
            }
        }
        return (ascii + 3) / 4 + others
    }
}
