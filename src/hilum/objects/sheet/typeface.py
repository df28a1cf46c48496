"""The fonts of a sheet, and which characters they have."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.ttLib import TTFont

FAMILIES = (  # a letter is set in the first one that has it
    *("Roboto", "Noto Sans Hebrew", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai"),
    "Noto Sans CJK JP",
)
# Chinese, Japanese and Korean: 16 MB, so a package of its own and not a file of ours.
EAST_ASIAN = "noto_cjk_sans_jp_regular"
MOST_SHOWN = 2000  # characters of one text: a third of a page
MOST_IN_CELL = 250  # of one in a narrow column, or a headline
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # spelling, in Persian and Hindi


@cache
def folders() -> tuple[Path, ...]:
    """Where the fonts are: ours, and those of the package."""
    spec = find_spec(EAST_ASIAN)
    assert spec is not None and spec.origin is not None, "a dependency is missing"
    return Path(__file__).parent / "fonts", Path(spec.origin).parent


def can_show(text: str) -> bool:
    """Whether there is a glyph for every character of `text`."""
    return text.isascii() or all(map(_has_glyph, set(text) - set(JOINERS)))


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """`text` on one line, without the words that no font can show: no boxes, no question marks.

    At most `most` characters: a page has an end. The measurement report holds the whole text.
    """
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    if text.isprintable() and can_show(text):
        return text
    plain = "".join(c if c.isprintable() or c in JOINERS else " " for c in text)
    words = (word for word in plain.split() if can_show(word))
    return " ".join(words) or ("(in a script that this page cannot show)" if text.strip() else "")


def _has_glyph(character: str) -> bool:
    """In the first font that has one: most letters are in the first, the others are large."""
    return any(ord(character) in _characters(file) for file in _files())


@cache
def _files() -> tuple[Path, ...]:
    """The fonts in the order in which a letter is looked for."""
    found = (sorted(folder.glob("*.[ot]tf")) for folder in folders())
    files = [file for each in found for file in each]
    return tuple(sorted(files, key=lambda file: not file.name.startswith("Roboto")))


@cache
def _characters(file: Path) -> frozenset[int]:
    """The code points that a font has a glyph for."""
    with TTFont(file, lazy=True) as font:
        return frozenset(font.getBestCmap() or {})
