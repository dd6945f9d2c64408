# SPDX-License-Identifier: Apache-2.0
"""The files under check and what a rule says about them."""

import functools
import os
from pathlib import Path
from typing import Iterator, NamedTuple

from swift_text import without_comments_and_strings

FOLDERS = ("Sources", "Tests", "Benchmarks", "ops", ".ci")


class Finding(NamedTuple):
    """One thing to put right, printed as `path:line: what`."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class Sample(NamedTuple):
    """A bad tree and what a rule must say about it; with `expected` None a good tree it must say nothing about."""

    files: dict[str, str]
    expected: str | None


class SourceFile:
    """A text file of the repository. Its path is relative to the root, with forward slashes."""

    def __init__(self, root: Path, path: str):
        self.path = path
        self.parts = tuple(path.split("/"))
        self._absolute = root / path

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.path)[1]

    @property
    def is_executable(self) -> bool:
        return os.access(self._absolute, os.X_OK)

    @functools.cached_property
    def text(self) -> str:
        return self._absolute.read_text(encoding="utf-8", errors="replace")

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @functools.cached_property
    def code(self) -> str:
        """The text with comments, strings and `raw names` blanked out; every line keeps its length."""
        return without_comments_and_strings(self.text)

    @functools.cached_property
    def code_lines(self) -> list[str]:
        return self.code.splitlines()

    def line_at(self, offset: int) -> int:
        return self.code.count("\n", 0, offset) + 1


class SourceTree:
    """Everything below a repository's own folders, without what the build makes."""

    def __init__(self, root: Path):
        self.root = root
        self.files: list[SourceFile] = []
        self.folders: list[str] = []
        for name in FOLDERS:
            for folder, subfolders, names in os.walk(root / name):
                subfolders[:] = sorted(s for s in subfolders if s not in (".build", "__pycache__"))
                relative = Path(folder).relative_to(root).as_posix()
                self.folders += [f"{relative}/{s}" for s in subfolders]
                self.files += [SourceFile(root, f"{relative}/{n}") for n in sorted(names)]
        if (root / "Package.swift").exists():
            self.files.append(SourceFile(root, "Package.swift"))

    def swift(self, *folders: str) -> Iterator[SourceFile]:
        """The Swift files of these top folders."""
        return (f for f in self.files if f.suffix == ".swift" and f.parts[0] in folders)

    def read(self, path: str) -> list[str]:
        """The lines of a file that a rule depends on; none when it is missing."""
        file = self.root / path
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
