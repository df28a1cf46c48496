"""The typeface of picture and PDF, and which characters it has."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from PIL import ImageFont
from pydicom.valuerep import PersonName
from reportlab import rl_config
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FOLDER = Path(__file__).parent / "fonts"
REGULAR, BOLD = "Roboto-Regular", "Roboto-Bold"
MOST_SHOWN = 2000  # characters of one text: a third of a page
MOST_IN_CELL = 250  # of one in a narrow column, or a headline


@cache
def pixels(name: str, size: int) -> ImageFont.FreeTypeFont:
    """The font for the picture, `size` pixels high."""
    return ImageFont.truetype(FOLDER / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


@cache
def register() -> None:
    """Make both fonts known to reportlab, which embeds what is used of them."""
    # ASCII-85 is for channels that are not 8 bits clean, and takes reportlab most of its time.
    setattr(rl_config, "useA85", 0)  # noqa: B010 - mypy cannot see it
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, FOLDER / f"{name}.ttf"))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR)


def can_show(text: str) -> bool:
    """Whether the font has every character of `text`."""
    return all(ord(character) in _characters() for character in text)


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """`text` on one line, without the words that the font cannot show: no boxes, no question marks.

    At most `most` characters: a page has an end. The measurement report holds the whole text.
    """
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    if text.isprintable() and can_show(text):
        return text
    plain = "".join(c if c.isprintable() else " " for c in text)
    words = (word for word in plain.split() if can_show(word))
    return " ".join(words) or ("(in a script that this page cannot show)" if text.strip() else "")


def name_to_show(name: PersonName | str | None) -> str | None:
    """The first representation of `name` that the font can show: "Family, Given".

    A name in ideographs usually carries a Latin one in its first component group (PS3.5 6.2.1);
    scripts that need shaping, such as Arabic, are not drawn letter by letter.
    """
    groups: Iterable[str] = str(name or "").split("=")
    for group in groups:
        family, _, rest = group.partition("^")
        given = " ".join(part for part in rest.split("^") if part)
        full = ", ".join(part.strip() for part in (family, given) if part.strip())
        if full and can_show(full):
            return full
    return None


@cache
def _characters() -> frozenset[int]:
    register()
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)
