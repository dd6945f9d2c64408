# SPDX-License-Identifier: Apache-2.0
"""The rules `ops/check` applies to files as text: `python3 ops/check.d ROOT`, or `--self-test` to try the rules.

A rule is a module with `check(tree)`, which yields findings, and SAMPLES, which prove that it can fail.
"""

import sys
import tempfile
from pathlib import Path

import declarations
import guarantees
import imports
import layout
import words
from source_tree import Sample, SourceTree

RULES = (layout, imports, declarations, words, guarantees)


def check(root: Path) -> bool:
    tree = SourceTree(root)
    findings = sorted({finding for rule in RULES for finding in rule.check(tree)})
    for finding in findings:
        print(finding)
    return not findings


def self_test() -> bool:
    failures = 0
    for rule in RULES:
        for number, sample in enumerate(rule.SAMPLES):
            found = _findings(rule, sample)
            if any(sample.expected in what for what in found) if sample.expected else not found:
                continue
            failures += 1
            print(f"ops/check.d/{rule.__name__}.py:1: sample {number} should give {sample.expected!r}, gave {found}")
        if not any(sample.expected for sample in rule.SAMPLES):
            failures += 1
            print(f"ops/check.d/{rule.__name__}.py:1: no sample proves that this rule can fail")
    return failures == 0


def _findings(rule, sample: Sample) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="switchyard-check.") as folder:
        root = Path(folder)
        for path, text in sample.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return [finding.what for finding in rule.check(SourceTree(root))]


if __name__ == "__main__":
    passed = self_test() if sys.argv[1:] == ["--self-test"] else check(Path(sys.argv[1]))
    sys.exit(0 if passed else 1)
