# SPDX-License-Identifier: Apache-2.0
"""Just enough of Swift's lexical structure to tell code from comments and strings."""

import re

_OPENING = re.compile(r'//|/\*|`[^`\n]+`|(#*)("""|")|[()]')
_BLOCK_COMMENT = re.compile(r"/\*|\*/")
_NOT_NEWLINE = re.compile(r"[^\n]")


def without_comments_and_strings(text: str) -> str:
    """Blanks comments, string contents and names in backticks, keeping every offset and line break.

    Code inside string interpolations stays, because it runs. Regular expression literals are not recognised.
    """
    pieces: list[str] = []
    _copy_code(text, 0, pieces, inside_interpolation=False)
    return "".join(pieces)


def _blank(text: str) -> str:
    return _NOT_NEWLINE.sub(" ", text)


def _copy_code(text: str, start: int, pieces: list[str], inside_interpolation: bool) -> int:
    """Copies code up to the end, or to the parenthesis that ends an interpolation; returns where it stopped."""
    depth = 0
    position = start
    while match := _OPENING.search(text, position):
        pieces.append(text[position : match.start()])
        token = match.group()
        position = match.end()
        if token in "()":
            depth += 1 if token == "(" else -1
            if inside_interpolation and depth < 0:
                return match.start()
            pieces.append(token)
        elif token == "//":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            pieces.append(_blank(text[match.start() : position]))
        elif token == "/*":
            position = _end_of_block_comment(text, position)
            pieces.append(_blank(text[match.start() : position]))
        elif token.startswith("`"):
            pieces.append(_blank(token))
        else:
            pieces.append(_blank(token))
            position = _blank_string(text, position, pieces, hashes=match.group(1), quotes=match.group(2))
    pieces.append(text[position:])
    return len(text)


def _end_of_block_comment(text: str, position: int) -> int:
    depth = 1
    while depth > 0:
        match = _BLOCK_COMMENT.search(text, position)
        if not match:
            return len(text)
        depth += 1 if match.group() == "/*" else -1
        position = match.end()
    return position


def _blank_string(text: str, start: int, pieces: list[str], hashes: str, quotes: str) -> int:
    """Blanks a string's contents from after its opening quotes; returns the offset behind its closing ones."""
    escape = "\\" + hashes
    closing = quotes + hashes
    # A one-line string that is not closed ends with its line: the compiler will complain, not this.
    event = re.compile("|".join([re.escape(escape), re.escape(closing)] + (["\n"] if quotes == '"' else [])))
    position = start
    while match := event.search(text, position):
        pieces.append(_blank(text[position : match.start()]))
        position = match.end()
        pieces.append(_blank(match.group()))
        if match.group() != escape:
            return position
        following = text[position : position + 1]
        pieces.append(_blank(following))
        position += 1
        if following == "(":
            position = _copy_code(text, position, pieces, inside_interpolation=True)
    pieces.append(_blank(text[position:]))
    return len(text)
