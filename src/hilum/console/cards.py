"""Model cards as HTML. Their authors are not ours: raw HTML is shown as text, and links leave only
by http and https. One that is no page but TOML (`card.toml`) is shown as it is.
"""

from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from hilum.module.description import ModulePage

BELOW = 2  # levels that the headings of a card go down: it is a part of a page
LAST_LEVEL = 6


def shown(page: ModulePage) -> Markup:
    """A page on a module."""
    return Markup("<pre>{}</pre>\n").format(page.text) if page.is_toml else rendered(page.text)


@lru_cache(50)
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
