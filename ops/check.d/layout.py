# SPDX-License-Identifier: Apache-2.0
"""Sizes, folders, names, licence headers: what a reader meets before the code."""

from typing import Iterator

from source_tree import Finding, Sample, SourceFile, SourceTree

LICENCE = "SPDX-License-Identifier: Apache-2.0"
LINE_LIMITS = {"Sources": 400, "Tests": 500, "Benchmarks": 400, "ops": 400, ".ci": 400}
SIZED_SUFFIXES = {".swift", ".c", ".h", ".py", ".sh", ""}
LICENSED_SUFFIXES = {".swift", ".c", ".h", ".py", ".sh"}
FORBIDDEN_FOLDERS = {"utils", "util", "utilities", "helpers", "helper", "common", "misc", "new"}
DEEPEST_BELOW_MODULE = 2


def check(tree: SourceTree) -> Iterator[Finding]:
    for folder in tree.folders:
        if folder.rsplit("/", 1)[-1].lower() in FORBIDDEN_FOLDERS:
            yield Finding(folder, 1, "this folder's name says nothing about what is in it")
    for file in tree.files:
        yield from _check_size(file)
        yield from _check_depth(file)
        yield from _check_licence(file)
        if _is_script(file) and not file.is_executable:
            yield Finding(file.path, 1, "a script must be executable (chmod +x)")


def _is_script(file: SourceFile) -> bool:
    return file.suffix == "" and file.text.startswith("#!")


def _check_size(file: SourceFile) -> Iterator[Finding]:
    limit = LINE_LIMITS.get(file.parts[0])
    if limit and file.suffix in SIZED_SUFFIXES and "Fixtures" not in file.parts and len(file.lines) > limit:
        yield Finding(file.path, limit + 1, f"{len(file.lines)} lines are more than the {limit} a file may have")


def _check_depth(file: SourceFile) -> Iterator[Finding]:
    below_module = len(file.parts) - 3
    if file.parts[0] in ("Sources", "Tests") and file.suffix == ".swift" and below_module > DEEPEST_BELOW_MODULE:
        yield Finding(file.path, 1, f"{below_module} folders below the module; {DEEPEST_BELOW_MODULE} is the most")


def _check_licence(file: SourceFile) -> Iterator[Finding]:
    if "Fixtures" in file.parts or not (file.suffix in LICENSED_SUFFIXES or _is_script(file)):
        return
    # The line that tells the shell or the package manager what it reads has to be the first.
    second = file.lines[:1] and file.lines[0].startswith(("#!", "// swift-tools-version", "# shellcheck"))
    line = 2 if second else 1
    if LICENCE not in "".join(file.lines[line - 1 : line]):
        yield Finding(file.path, line, f"this line must be the licence header '{LICENCE}'")


_HEADER = f"// {LICENCE}\n"
SAMPLES = [
    Sample({"Sources/Chat/Message.swift": _HEADER + "struct Message {}\n" * 399}, None),
    Sample({"Sources/Chat/Message.swift": _HEADER + "\n" * 400}, "401 lines"),
    Sample({"Tests/ChatTests/MessageTests.swift": _HEADER + "\n" * 500}, "501 lines"),
    Sample({"Benchmarks/Sources/Load.swift": _HEADER + "\n" * 400}, "401 lines"),
    Sample({"Sources/Chat/a/b/c/Message.swift": _HEADER}, "3 folders below"),
    Sample({"Sources/Chat/a/b/Message.swift": _HEADER}, None),
    Sample({"Sources/Chat/Helpers/Message.swift": _HEADER}, "folder's name"),
    Sample({"Sources/Chat/Message.swift": "struct Message {}\n"}, "licence header"),
    Sample({"Sources/CLinux/clock.c": "int x;\n"}, "licence header"),
    Sample({"ops/deploy": "#!/bin/sh\n"}, "licence header"),
    Sample({"ops/deploy": f"#!/bin/sh\n# {LICENCE}\n"}, "must be executable"),
    Sample({"Package.swift": f"// swift-tools-version: 6.3\n// {LICENCE}\n"}, None),
]
