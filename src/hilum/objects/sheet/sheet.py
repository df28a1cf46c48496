"""The sheet that pictures are drawn on, and the furniture that every picture has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from hilum.objects.report import NOT_FOR_DIAGNOSIS
from hilum.objects.sheet.typeface import BOLD, MOST_IN_CELL, REGULAR, pixels, shown

Colour = tuple[int, int, int]

WIDTH = 1280
EDGE = 36
GAP = 16
INNER = WIDTH - 2 * EDGE
LOWEST_NOTE = 5000  # pixels from the top: the rest of the sheet takes the last one and the footer
CORNER = 72  # viewers write over the corners of an image: nothing of ours at top and bottom
BACKGROUND = (11, 14, 19)
PANEL = (22, 27, 34)
LINE = (48, 56, 66)
TEXT = (232, 236, 241)
FAINT = (150, 160, 172)
WARNING = (255, 184, 48)
ALARM = (255, 107, 94)
CALM = (110, 200, 150)


@dataclass
class Sheet:
    """A tall page that is filled from the top and cut where the content ends."""

    image: Image.Image
    y: int = 0

    @classmethod
    def blank(cls) -> "Sheet":
        return cls(Image.new("RGB", (WIDTH, 6000), BACKGROUND))

    def __post_init__(self) -> None:
        self.pen = ImageDraw.Draw(self.image)

    def text(
        self,
        at: tuple[float, float],
        words: str,
        size: int,
        colour: Colour = TEXT,
        font: str = REGULAR,
        anchor: str = "ls",
        halo: int = 0,
    ) -> None:
        self.pen.text(
            at, shown(words), colour, pixels(font, size), anchor, stroke_width=halo, stroke_fill=0
        )

    def finished(self) -> Image.Image:
        """What was filled of the page."""
        return self.image.crop((0, 0, WIDTH, self.y))


def header(sheet: Sheet, title: str, subtitle: str) -> None:
    """Title and sign, and a faint line about the images."""
    font = pixels(BOLD, 20)
    # No word of it may be overlooked, so it is a sign and not small print.
    words = NOT_FOR_DIAGNOSIS.upper()
    left = WIDTH - EDGE - font.getlength(words) - 32
    room = left - EDGE - GAP
    sizes = (34, 30, 26, 23, 20)
    size = next((s for s in sizes if pixels(BOLD, s).getlength(shown(title)) <= room), sizes[-1])
    sheet.text((EDGE, CORNER + 58), fit(title, pixels(BOLD, size), room), size, font=BOLD)
    sheet.pen.rounded_rectangle((left, CORNER + 26, WIDTH - EDGE, CORNER + 68), 8, fill=WARNING)
    sheet.text((left + 16, CORNER + 47), words, 20, (24, 18, 0), BOLD, "lm")
    lines = wrap(subtitle, pixels(REGULAR, 19), INNER)
    for number, line in enumerate(lines):
        sheet.text((EDGE, CORNER + 92 + 26 * number), line, 19, FAINT)
    sheet.y = CORNER + 90 + 26 * len(lines)


def banner(
    sheet: Sheet, words: str, colour: Colour, headline: str | None = None, size: int = 22
) -> None:
    """A box in `colour` across the sheet, with a headline of `size` if there is one."""
    font = pixels(REGULAR, 22)
    lines = wrap(words, font, INNER - 56) if words else []
    head = size + 14 if headline else 0
    top = sheet.y
    bottom = top + 28 + len(lines) * 32 + head
    dark = tuple(int(b + (c - b) * 0.16) for b, c in zip(BACKGROUND, colour, strict=True))
    sheet.pen.rounded_rectangle((EDGE, top, WIDTH - EDGE, bottom), 8, fill=dark)
    sheet.pen.rounded_rectangle((EDGE, top, EDGE + 8, bottom), 4, fill=colour)
    if headline:
        headline = fit(headline, pixels(BOLD, size), INNER - 56)
        sheet.text((EDGE + 28, top + 15 + size), headline, size, colour, BOLD)
    baseline = top + 14 + 24 + head
    for line in lines:
        sheet.text((EDGE + 28, baseline), line, 22)
        baseline += 32
    sheet.y = bottom + GAP


def facts(sheet: Sheet, pairs: Sequence[tuple[str, str]], left: int, top: int) -> int:
    """Names and words in two columns up to the right edge; return where they end."""
    y = top + 6
    for name, words in pairs:
        lines = wrap(words, pixels(REGULAR, 18), WIDTH - EDGE - left - 140)
        sheet.text((left, y + 18), name, 16, FAINT)
        for line in lines:
            sheet.text((left + 140, y + 18), line, 18)
            y += 26
        y += 6
    return y


def notes(sheet: Sheet, remarks: Sequence[str]) -> None:
    """Each remark behind a bullet."""
    for number, remark in enumerate(remarks):
        if sheet.y > LOWEST_NOTE:
            rest = f"{len(remarks) - number} more notes are in the measurement report."
            sheet.text((EDGE + 28, sheet.y + 20), rest, 18, FAINT)
            sheet.y += 31
            return
        sheet.pen.ellipse((EDGE + 4, sheet.y + 10, EDGE + 12, sheet.y + 18), fill=WARNING)
        for line in wrap(remark, pixels(REGULAR, 18), INNER - 28):
            sheet.text((EDGE + 28, sheet.y + 20), line, 18)
            sheet.y += 27
        sheet.y += 4


def footer(sheet: Sheet) -> None:
    """Who made it, above the margin that viewers write on."""
    sheet.y += 8
    sheet.pen.line((EDGE, sheet.y, WIDTH - EDGE, sheet.y), LINE)
    words = (
        "Made by a computer program without a medical device approval. "
        "Verify against the images; never base a decision on it."
    )
    sheet.text((EDGE, sheet.y + 28), words, 15, FAINT)
    sheet.text((WIDTH - EDGE, sheet.y + 28), "Hilum", 15, FAINT, BOLD, "rs")
    sheet.y += 48 + CORNER


def wrap(words: str, font: ImageFont.FreeTypeFont, width: float) -> Sequence[str]:
    """`words` in lines of at most `width` pixels; a word that is longer is broken."""
    lines = [""]
    for word in _broken(shown(words).split(), font, width):
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _broken(words: Sequence[str], font: ImageFont.FreeTypeFont, width: float) -> Iterator[str]:
    for word in words:
        while len(word) > 1 and font.getlength(word) > width:
            end = max(1, int(len(word) * width / font.getlength(word)))
            while end > 1 and font.getlength(word[:end]) > width:
                end -= 1
            yield word[:end]
            word = word[end:]
        yield word


def fit(words: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """`words`, shortened if they are longer than `width` pixels."""
    words = shown(words, MOST_IN_CELL)
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(f"{words}...") > width:
        words = words[:-1]
    return f"{words.rstrip()}..."
