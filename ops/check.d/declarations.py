# SPDX-License-Identifier: Apache-2.0
"""What modules show each other: `package` at most, and documented."""

import re
from typing import Iterator

from source_tree import Finding, Sample, SourceFile, SourceTree

# Modifiers and attributes may stand before the access level; an assignment or a call may not.
_PACKAGE = re.compile(r"^[\w@()\s]*?(?<![\w.@])package\s+(?P<rest>[\w@].*)")
_WIDER = re.compile(
    r"(?<![\w.`])(?P<level>public|open)\s+(?:[\w@()]+\s+)*?"
    r"(?:actor|class|enum|extension|func|import|init|let|protocol|struct|subscript|typealias|var)\b"
)


def check(tree: SourceTree) -> Iterator[Finding]:
    for file in tree.swift("Sources"):
        for number, line in enumerate(file.code_lines, 1):
            if match := _WIDER.search(line):
                yield Finding(file.path, number, f"'{match['level']}' does not occur here: 'package' is the widest access")
            if not (match := _PACKAGE.match(line)) or match["rest"].startswith("import"):
                continue
            if match["rest"].startswith("extension"):
                yield Finding(file.path, number, "write 'package' on the members, not on the extension")
            elif not _is_documented(file, number - 1):
                yield Finding(file.path, number, "a 'package' declaration needs a '///' comment above it")


def _is_documented(file: SourceFile, index: int) -> bool:
    """Whether a doc comment stands above the line, attributes of one or more lines aside."""
    code = file.code_lines
    index -= 1
    while index >= 0:
        unclosed = code[index].count(")") - code[index].count("(")
        while unclosed > 0 and index > 0:
            index -= 1
            unclosed += code[index].count(")") - code[index].count("(")
        if not code[index].lstrip().startswith("@"):
            return file.lines[index].lstrip().startswith("///")
        index -= 1
    return False


def _sample(code: str, expected: str | None) -> Sample:
    return Sample({"Sources/Chat/Message.swift": code + "\n"}, expected)


_MISSING = "needs a '///' comment"
SAMPLES = [
    _sample("/// Why.\npackage struct A {\n    /// Why.\n    package let b: Int\n}", None),
    _sample("/// Why.\n@available(*, deprecated,\n    message: \"(x\")\n@frozen\npackage struct A {}", None),
    _sample("package import Jobs\n// package struct A {}\nlet s = \"package let a\"", None),
    _sample("package struct A {}", _MISSING),
    _sample("/// Why.\npackage struct A {\n\n    @inlinable package static func b() {}\n}", _MISSING),
    _sample("/// Why.\n\npackage struct A {}", _MISSING),
    _sample("// Why.\nnonisolated(nonsending) package func a() {}", _MISSING),
    _sample("/// Why.\npackage private(set) var a = 1\n@safe package final class B {}", _MISSING),
    _sample("package extension A {}", "on the members"),
    _sample("public struct A {}", "'public' does not occur"),
    _sample("open class A {}", "'open' does not occur"),
    _sample("public import Foundation", "'public' does not occur"),
]
