# SPDX-License-Identifier: Apache-2.0
"""Words that do not occur, and those only named files may use (ops/check-exceptions)."""

import re
from typing import Iterator, NamedTuple

from source_tree import Finding, Sample, SourceTree

EXCEPTIONS = "ops/check-exceptions"


class Rule(NamedTuple):
    """A pattern that is refused in these folders; with a name, files listed as exceptions may use it."""

    name: str | None
    folders: tuple[str, ...]
    pattern: re.Pattern[str]
    what: str


_GENERIC = r"(?:<[^<>]*(?:<[^<>]*>[^<>]*)*>)?"
RULES = [
    Rule(None, ("Sources",), re.compile(r"\btry!"), "'try!' traps: handle the error"),
    Rule(None, ("Sources",), re.compile(r"\bas!"), "'as!' traps: use 'as?' or a type that is known"),
    Rule(None, ("Sources",), re.compile(r"\bfatalError\("), "'fatalError' ends every request of the process: throw"),
    Rule(None, ("Sources",), re.compile(r"\bnonisolated\(unsafe\)"), "'nonisolated(unsafe)' hides a data race"),
    Rule("blocking-sleep", ("Sources",), re.compile(r"\b(?:u|nano)sleep\b"), "sleeping blocks a thread of the pool"),
    Rule(None, ("Sources",), re.compile(r"(?<![.\w])(?:debugPrint|print)\("), "'print' is no log: use Logger"),
    Rule(None, ("Sources",), re.compile(r"\bcatch\b[^{}]*\{\s*\}"), "an empty 'catch' loses the error"),
    Rule("unchecked-sendable", ("Sources",), re.compile(r"@unchecked\s+Sendable\b"), "'@unchecked Sendable'"),
    Rule(
        "unstructured-task",
        ("Sources",),
        # A type ("-> Task<Void, Never> {", ": Task<…> {") starts nothing.
        re.compile(rf"(?<![.\w])(?<!-> )(?<!: )Task{_GENERIC}(?:\.init)?\s*[({{]|\bTask\.(?:detached|immediate)"),
        "a task outside the structure: nobody waits for it or cancels it",
    ),
    Rule("optional-try", ("Sources",), re.compile(r"\btry\?"), "'try?' drops the error"),
    Rule(
        "sleep",
        ("Tests",),
        re.compile(r"\bTask\.sleep\b|\bThread\.sleep\b|\b(?:u|nano)sleep\(|(?<![.\w])sleep\("),
        "a test that sleeps depends on timing: wait for the event",
    ),
]
_NOTES = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def check(tree: SourceTree) -> Iterator[Finding]:
    exceptions, findings = _read_exceptions(tree)
    yield from findings
    used: set[tuple[str, str]] = set()
    for file in tree.swift("Sources", "Tests", "Benchmarks"):
        for rule in RULES:
            if file.parts[0] not in rule.folders:
                continue
            for match in rule.pattern.finditer(file.code):
                if (rule.name, file.path) in exceptions:
                    used.add((rule.name, file.path))
                    continue
                hint = f" (rule {rule.name}; exceptions are named in {EXCEPTIONS})" if rule.name else ""
                yield Finding(file.path, file.line_at(match.start()), rule.what + hint)
    for file in tree.files:
        if file.parts[0] in ("Sources", "Tests", "Benchmarks") and file.suffix in (".swift", ".c", ".h", ".sql"):
            for number, line in enumerate(file.lines, 1):
                if match := _NOTES.search(line):
                    yield Finding(file.path, number, f"'{match.group()}': do it, or write it down as an issue")
    for key, number in exceptions.items():
        if key not in used:
            yield Finding(EXCEPTIONS, number, f"nothing in {key[1]} needs the exception {key[0]} any more")


def _read_exceptions(tree: SourceTree) -> tuple[dict[tuple[str, str], int], list[Finding]]:
    names = {rule.name for rule in RULES if rule.name}
    exceptions: dict[tuple[str, str], int] = {}
    findings: list[Finding] = []
    for number, line in enumerate(tree.read(EXCEPTIONS), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3 or fields[0] not in names:
            findings.append(Finding(EXCEPTIONS, number, f"a line is 'rule path reason', a rule one of {sorted(names)}"))
        else:
            exceptions[fields[0], fields[1]] = number
    return exceptions, findings


def _sample(code: str, expected: str | None, path: str = "Sources/Chat/A.swift", exceptions: str = "") -> Sample:
    return Sample({path: code + "\n", EXCEPTIONS: exceptions}, expected)


_A_TEST = "Tests/ChatTests/ATests.swift"
SAMPLES = [
    _sample("let a = try! b()", "'try!'"),
    _sample("let a = b as! C", "'as!'"),
    _sample("fatalError(\"x\")", "'fatalError'"),
    _sample("nonisolated(unsafe) var a = 1", "'nonisolated(unsafe)'"),
    _sample("usleep(1)", "sleeping blocks"),
    _sample("print(1)", "'print'"),
    _sample("let s = \"\\(print(1))\"", "'print'"),
    _sample("do { try a() } catch let error as B {\n    // nothing\n}", "empty 'catch'"),
    _sample("final class A: @unchecked Sendable {}", "unchecked-sendable"),
    _sample("Task { await a() }", "unstructured-task"),
    _sample("let t = Task<Void, Never>(executorPreference: loop) { }", "unstructured-task"),
    _sample("Task.detached { }", "unstructured-task"),
    _sample("let a = try? b()", "optional-try"),
    _sample("try await Task.sleep(for: .seconds(1))", "sleep", _A_TEST),
    _sample("// TODO: later", "'TODO'"),
    _sample("let a = \"FIXME\"", "'FIXME'", _A_TEST),
    _sample("func a() -> Task<Void, Never> { b }\nvar c: Task<Int, any Error>?\nlog.print(1)", None),
    _sample("let s = \"try! as! print(1) Task {\" // try? /* */\n/* Task { /* try! */ } */ let r = #\"\\(\"try!\")\"#", None),
    _sample("@Test func `a test says try! and Task {`() {}", None, _A_TEST),
    _sample("let a = try? b()", None, exceptions="optional-try Sources/Chat/A.swift absence is an answer here\n"),
    _sample("let a = 1", "any more", exceptions="optional-try Sources/Chat/A.swift absence is an answer\n"),
    _sample("let a = try? b()", "a line is", exceptions="optional-try Sources/Chat/A.swift\n"),
]
