// SPDX-License-Identifier: Apache-2.0

/// Why a text is not JSON that we accept, and where.
///
/// `description` names the kind and the offset only, so it may be logged; `path` holds the sender's own keys and may
/// not.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. An unpaired surrogate or a NUL is valid grammar with text that nothing can store, and callers
    /// answer it differently from a broken document.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case malformed
        case unpairedSurrogate
        case nulCharacter
        case invalidUTF8
        case tooDeep
        case duplicateKey
        case numberOutOfRange
    }

    /// What is wrong.
    package let kind: Kind

    /// Bytes from the start of the input to the fault.
    package let offset: Int

    /// The place within the document, like `images[0].mime`; empty at the top.
    package private(set) var path = ""

    init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    /// Kind and offset, for the log.
    package var description: String { "JSON \(kind.rawValue) at byte \(offset)" }

    func inside(key: String) -> JSONError {
        var outer = self
        outer.path = path.isEmpty || path.hasPrefix("[") ? key + path : "\(key).\(path)"
        return outer
    }

    func inside(index: Int) -> JSONError {
        var outer = self
        outer.path = path.isEmpty || path.hasPrefix("[") ? "[\(index)]\(path)" : "[\(index)].\(path)"
        return outer
    }
}
