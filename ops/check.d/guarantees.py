# SPDX-License-Identifier: Apache-2.0
"""docs/guarantees.md against the tests: what is promised names its proof, and the proof exists."""

import re
from typing import Iterator

from source_tree import Finding, Sample, SourceFile, SourceTree

TABLE = "docs/guarantees.md"
BEHAVIOURS = 26
IN_PROGRESS = "in progress"
# `file`: “name of a test”, “another”; or `Benchmarks/…`, `ops/bench scenario` for what is measured.
_ROW = re.compile(r"^\|\s*(?P<number>\d+)\s*\|(?P<promise>[^|]*)\|(?P<proof>[^|]*)\|\s*$")
_PROOF = re.compile(r"`(?P<path>[^`]+)`(?P<names>(?::?\s*(?:,\s*)?“[^”]+”)*)")
_NAME = re.compile(r"“([^”]+)”")


def check(tree: SourceTree) -> Iterator[Finding]:
    lines = tree.read(TABLE)
    if not lines:
        # A sample of another rule, or a repository without the table: the tests alone say which.
        if any(file.parts[:2] == ("Tests", "EndToEndTests") for file in tree.files):
            yield Finding(TABLE, 1, "the table of guarantees is missing")
        return
    files = {file.path: file for file in tree.files}
    seen: list[int] = []
    for number, line in enumerate(lines, 1):
        if row := _ROW.match(line):
            seen.append(int(row["number"]))
            yield from _check_row(number, row, files)
    if seen != list(range(1, BEHAVIOURS + 1)):
        yield Finding(TABLE, 1, f"the rows must be 1 to {BEHAVIOURS} in order, not {seen}")


def _check_row(number: int, row: re.Match, files: dict[str, SourceFile]) -> Iterator[Finding]:
    if not row["promise"].strip():
        yield Finding(TABLE, number, "a row says what is promised")
    proofs = list(_PROOF.finditer(row["proof"]))
    is_open = IN_PROGRESS in row["proof"]
    if not proofs:
        yield Finding(TABLE, number, "a row names its proof")
    for proof in proofs:
        path, names = proof["path"], _NAME.findall(proof["names"])
        file = files.get(path)
        if file is None:
            if not is_open:
                yield Finding(TABLE, number, f"there is no {path}")
        elif path.startswith("Tests/") and not names and not is_open:
            yield Finding(TABLE, number, f"say which tests of {path} are the proof")
        else:
            yield from (
                Finding(TABLE, number, f"{path} has no test “{name}”")
                for name in names
                if f"func `{name}`(" not in file.text
            )


_SUITE = "// SPDX-License-Identifier: Apache-2.0\n@Test func `it holds`() {}\n"


def _sample(first: str, expected: str | None, last: int = BEHAVIOURS) -> Sample:
    rest = "".join(f"| {number} | More. | `Tests/A/B.swift`: “it holds” |\n" for number in range(2, last + 1))
    return Sample({TABLE: f"# Guarantees\n\n{first}\n{rest}", "Tests/A/B.swift": _SUITE}, expected)


SAMPLES = [
    _sample("| 1 | It holds. | `Tests/A/B.swift`: “it holds” |", None),
    _sample("| 1 | It holds. | `Tests/A/C.swift`, in progress |", None),
    _sample("| 1 | It holds. | `Tests/A/C.swift`: “it holds” |", "there is no Tests/A/C.swift"),
    _sample("| 1 | It holds. | `Tests/A/B.swift`: “it holds”, “it does not” |", "no test “it does not”"),
    _sample("| 1 | It holds. | `Tests/A/B.swift` |", "say which tests"),
    _sample("| 1 | It holds. | by faith |", "names its proof"),
    _sample("| 1 |  | `Tests/A/B.swift`: “it holds” |", "what is promised"),
    _sample("| 1 | It holds. | `Tests/A/B.swift`: “it holds” |", "must be 1 to 26", last=25),
    Sample({"Tests/EndToEndTests/A.swift": _SUITE}, "table of guarantees is missing"),
]
