"""Regular expressions for received values, matched in time that grows only with their length.

Python's own engine tries every way to match: `(a+)+$` on a description of a thousand letters never
ends. RE2 does not, and its price is look-around and back-references. What a pattern means stays
Python's: classes such as `\\w` hold the characters of every script.
"""

import re
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import re2

CURE = (
    "look-ahead, look-behind, back-references and possessive repeats are not allowed, because a"
    " crafted value could make them run for ever: name what may stand there, or use another rule"
)
CLASSES = {"w": str.isalnum, "d": str.isdecimal, "s": str.isspace}
SPELLING = {"\\Z": "\\z"}
TOKEN = r"\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|\{,\d+\}|."
EDGE = re.compile(r"\\[bB][^\x00-\x7f]|[^\x00-\x7f]\\[bB]")
SURROGATES = range(0xD800, 0xE000)  # no characters of a text


@cache
def compiled(pattern: str) -> Any:
    """`pattern` for `matches`; `ValueError` says what is wrong and what to write."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what a later Python may read otherwise
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if EDGE.search(pattern):
        raise ValueError("\\b knows ASCII letters only: write (?:^|\\W) or (?:\\W|$) in its place")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile("".join(_translated(pattern)), options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"not a pattern that is sure to end: {said}; {CURE}") from error


def matches(pattern: str, value: str) -> bool:
    """Whether `pattern` is found anywhere in `value`."""
    return compiled(pattern).search(value.encode("utf-8", "replace").decode()) is not None


def _tokens(pattern: str) -> Iterator[tuple[str, bool]]:
    """The parts of `pattern`, and whether each stands within brackets."""
    within, before = False, ""
    for token in re.findall(TOKEN, pattern, re.DOTALL):
        if token == "]" and before not in ("[", "[^"):
            within = False
        yield token, within
        before = "[^" if within and (before, token) == ("[", "^") else token
        if token == "[":
            before, within = "" if within else "[", True


def _translated(pattern: str) -> Iterator[str]:
    """The parts of `pattern` as RE2 spells them."""
    for token, within in _tokens(pattern):
        if token[0] == "\\" and len(token) > 2:
            yield f"\\x{{{token[2:]}}}"
        elif token[0] == "\\" and token[1].lower() in CLASSES:
            ranges = _ranges(token[1].lower(), token[1].isupper())
            yield ranges if within else f"[{ranges}]"
        elif within:
            yield "\\[" if token == "[" else token  # no class of POSIX
        else:
            yield "{0" + token[1:] if token.startswith("{,") else SPELLING.get(token, token)


@cache
def _ranges(name: str, others: bool) -> str:
    """The characters of a class of Python's, or all `others`, as they stand in brackets."""
    belongs = CLASSES[name]
    ends: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        inside = belongs(character) or (name == "w" and character == "_")
        if code in SURROGATES or inside is others:
            continue
        if ends and ends[-1][1] == code - 1:
            ends[-1][1] = code
        else:
            ends.append([code, code])
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ends)
