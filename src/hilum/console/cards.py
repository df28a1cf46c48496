"""Model cards as HTML. Their authors are not ours: raw HTML is shown as text, and links leave only
by http and https. One that is no page but TOML (`card.toml`) is shown as it is.
"""

from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

BELOW = 2  # levels that the headings of a card go down: it is a part of a page
LONGEST = 200_000  # characters
LAST_LEVEL = 6


def card_of(path: Path) -> Markup:
    """The card at `path`; "" if it cannot be read."""
    try:
        return _card(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError):
        return Markup("")


@lru_cache(50)
def _card(path: Path, _changed: int) -> Markup:
    text = path.read_text(encoding="utf-8")[:LONGEST]
    if path.suffix == ".toml":
        return Markup("<pre>{}</pre>\n").format(text)
    return rendered(text)


def rendered(text: str) -> Markup:
    """CommonMark with tables as HTML that is safe whatever `text` is."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    reader.validateLink = _leaves_safely  # type: ignore[method-assign]
    tokens = reader.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(LAST_LEVEL, int(token.tag[1:]) + BELOW)}"
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def _leaves_safely(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
