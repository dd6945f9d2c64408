# SPDX-License-Identifier: Apache-2.0
"""The module graph: every import in Sources against ops/module-graph."""

import re
from typing import Iterator, NamedTuple

from source_tree import Finding, Sample, SourceTree

GRAPH = "ops/module-graph"
TOOLCHAIN = {"Swift", "Foundation", "FoundationEssentials", "Dispatch", "Synchronization", "Glibc", "RegexBuilder"}
TEST_TOOLCHAIN = TOOLCHAIN | {"Testing"}
_IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?P<access>package|internal|private|fileprivate|public)\s+)?import\s+"
    r"(?:(?:struct|class|enum|protocol|typealias|func|var|let|actor)\s+)?(?P<module>\w+)"
)
_C_MODULE = re.compile(r"C[A-Z]")

# Programs for tests alone; nothing of the product is built from them.
TEST_EXECUTABLES = {"ProviderSimulator", "SwitchyardBench"}


class Row(NamedTuple):
    """One line of the graph: where it stands and what the module may import."""

    line: int
    imports: set[str]


def check(tree: SourceTree) -> Iterator[Finding]:
    graph, findings = _read_graph(tree)
    yield from findings
    c_modules = {name for row in graph.values() for name in row.imports if name not in graph}
    yield from _check_folders(tree, graph, c_modules)
    for file in tree.swift("Sources"):
        row = graph.get(file.parts[1])
        allowed = (row.imports if row else set()) | TOOLCHAIN
        if file.parts[1] == "TestSupport":
            allowed |= TEST_TOOLCHAIN
        for number, access, name in _imports(file.code_lines):
            if row and name not in allowed:
                known = name in graph or name in c_modules
                reason = f"may not import {name} ({GRAPH})" if known else f"imports {name}, which is not of this package"
                yield Finding(file.path, number, f"{file.parts[1]} {reason}")
            if name in c_modules and access not in (None, "internal", "private", "fileprivate"):
                yield Finding(file.path, number, f"the C module {name} must stay inside its module: no '{access} import'")
    for file in tree.swift("Tests", "Benchmarks"):
        for number, _, name in _imports(file.code_lines):
            if name not in TEST_TOOLCHAIN and name not in graph and name not in c_modules:
                yield Finding(file.path, number, f"imports {name}, which is not of this package")


def _imports(lines: list[str]) -> Iterator[tuple[int, str | None, str]]:
    for number, line in enumerate(lines, 1):
        if "import" in line and (match := _IMPORT.match(line)):
            yield number, match["access"], match["module"]


def _read_graph(tree: SourceTree) -> tuple[dict[str, Row], list[Finding]]:
    graph: dict[str, Row] = {}
    owners: dict[str, str] = {}
    findings: list[Finding] = []
    for number, line in enumerate(tree.read(GRAPH), 1):
        if not line.strip() or line.startswith("#"):
            continue
        module, colon, imports = line.partition(":")
        if not colon or not module.isidentifier() or module in graph:
            findings.append(Finding(GRAPH, number, "a line is 'Module: what it may import', once for a module"))
            continue
        allowed: set[str] = set()
        for name in imports.split():
            if name == "*":
                allowed |= set(graph) - {"TestSupport"}
            elif name in graph and (name != "TestSupport" or module in TEST_EXECUTABLES):
                allowed.add(name)
            elif not _C_MODULE.match(name):
                findings.append(Finding(GRAPH, number, f"{module} may only import modules listed above it, not {name}"))
            elif name in owners:
                findings.append(Finding(GRAPH, number, f"the C module {name} belongs to {owners[name]} already"))
            else:
                owners[name] = module
                allowed.add(name)
        graph[module] = Row(number, allowed)
    if not graph:
        findings.append(Finding(GRAPH, 1, "the module graph is missing or empty"))
    return graph, findings


def _check_folders(tree: SourceTree, graph: dict[str, Row], c_modules: set[str]) -> Iterator[Finding]:
    for folder in tree.folders:
        parts = folder.split("/")
        if parts[0] == "Sources" and len(parts) == 2 and parts[1] not in graph and parts[1] not in c_modules:
            yield Finding(folder, 1, f"the module {parts[1]} is not in {GRAPH}")


_GRAPH = "Runtime: CLinux\nJobs:\nPersistence: Jobs\nSwitchyard: *\nTestSupport: *\n"


def _sample(path: str, code: str, expected: str | None, graph: str = _GRAPH) -> Sample:
    return Sample({GRAPH: graph, path: f"// licence\n{code}\n"}, expected)


SAMPLES = [
    _sample("Sources/Persistence/Queue.swift", "package import Jobs\nimport FoundationEssentials", None),
    _sample("Sources/Jobs/Job.swift", 'let s = """\nimport Persistence\n"""', None),
    _sample("Sources/Jobs/Job.swift", "import Persistence", "Jobs may not import Persistence"),
    _sample("Sources/Jobs/Job.swift", "@preconcurrency package import struct Persistence.Row", "may not import"),
    _sample("Sources/Jobs/Job.swift", "import NIOCore", "not of this package"),
    _sample("Sources/Jobs/Job.swift", "import CLinux", "Jobs may not import CLinux"),
    _sample("Sources/Switchyard/main.swift", "import CLinux", "Switchyard may not import CLinux"),
    _sample("Sources/Switchyard/main.swift", "import TestSupport", "Switchyard may not import TestSupport"),
    _sample("Sources/Runtime/Loop.swift", "package import CLinux", "must stay inside"),
    _sample("Sources/ProviderSimulator/A.swift", "import TestSupport", None, _GRAPH + "ProviderSimulator: TestSupport\n"),
    _sample("Sources/Extra/Thing.swift", "", "the module Extra is not in"),
    _sample("Tests/JobsTests/JobTests.swift", "import XCTest", "imports XCTest"),
    _sample("Sources/Jobs/Job.swift", "", "belongs to Runtime already", "Runtime: CLinux\nJobs: CLinux\n"),
    _sample("Sources/Jobs/Job.swift", "", "listed above it", "Jobs: Chat\nChat: Jobs\n"),
    _sample("Sources/Jobs/Job.swift", "", "missing or empty", ""),
]
