"""The picture of a result: views with outlines, numbers, provenance and warnings.

The patient's name, number and birth date are not among them: burned into pixels they survive
every de-identification of the header, and the viewer shows them beside the image anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from hilum.objects.film import film
from hilum.objects.planes import PLANE_SIDE, STRIP_SIDE, View, Views
from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.typeface import BOLD, REGULAR, pixels, shown

WIDTH = 1280
EDGE = 36
GAP = 16
CORNER = 72  # viewers write over the corners of an image: nothing of ours at top and bottom
BACKGROUND = (11, 14, 19)
PANEL = (22, 27, 34)
LINE = (48, 56, 66)
TEXT = (232, 236, 241)
FAINT = (150, 160, 172)
WARNING = (255, 184, 48)
ALARM = (255, 107, 94)


@dataclass
class _Sheet:
    """A tall page that is filled from the top and cut where the content ends."""

    image: Image.Image
    y: int = 0

    def __post_init__(self) -> None:
        self.pen = ImageDraw.Draw(self.image)

    def text(
        self,
        at: tuple[float, float],
        words: str,
        size: int,
        colour: tuple[int, int, int] = TEXT,
        font: str = REGULAR,
        anchor: str = "ls",
        halo: int = 0,
    ) -> None:
        self.pen.text(
            at, shown(words), colour, pixels(font, size), anchor, stroke_width=halo, stroke_fill=0
        )


def draw(report: Report) -> Image.Image:
    """RGB, 1280 pixels wide, as high as its content."""
    sheet = _Sheet(Image.new("RGB", (WIDTH, 4000), BACKGROUND))
    _header(sheet, report)
    if report.refusal:
        _banner(sheet, report.refusal, ALARM, "NO RESULT")
    if report.incomplete:
        _banner(sheet, report.incomplete, WARNING, None)
    if not report.refusal:
        _views(sheet, report)
    _columns(sheet, report)
    _notes(sheet, report)
    _footer(sheet)
    return sheet.image.crop((0, 0, WIDTH, sheet.y))


def _header(sheet: _Sheet, report: Report) -> None:
    sheet.text((EDGE, CORNER + 58), report.title, 34, font=BOLD)
    # No word of it may be overlooked, so it is a sign and not small print.
    font = pixels(BOLD, 20)
    words = NOT_FOR_DIAGNOSIS.upper()
    width = font.getlength(words)
    left = WIDTH - EDGE - width - 32
    sheet.pen.rounded_rectangle((left, CORNER + 26, WIDTH - EDGE, CORNER + 68), 8, fill=WARNING)
    sheet.text((left + 16, CORNER + 47), words, 20, (24, 18, 0), BOLD, "lm")
    images = " + ".join(text for name, text in report.facts if name == "Images")
    sheet.text((EDGE, CORNER + 92), _fit(images, pixels(REGULAR, 19), WIDTH - 2 * EDGE), 19, FAINT)
    sheet.y = CORNER + 116


def _banner(sheet: _Sheet, words: str, colour: tuple[int, int, int], headline: str | None) -> None:
    size = 22
    lines = _wrap(words, pixels(REGULAR, size), WIDTH - 2 * EDGE - 56)
    height = 28 + len(lines) * 32 + (36 if headline else 0)
    top = sheet.y
    box = (EDGE, top, WIDTH - EDGE, top + height)
    dark = tuple(int(b + (c - b) * 0.16) for b, c in zip(BACKGROUND, colour, strict=True))
    sheet.pen.rounded_rectangle(box, 8, fill=dark)
    sheet.pen.rounded_rectangle((EDGE, top, EDGE + 8, top + height), 4, fill=colour)
    baseline = top + 14 + 24
    if headline:
        sheet.text((EDGE + 28, baseline), headline, size, colour, BOLD)
        baseline += 36
    for line in lines:
        sheet.text((EDGE + 28, baseline), line, size)
        baseline += 32
    sheet.y = top + height + GAP


def _views(sheet: _Sheet, report: Report) -> None:
    views = report.views
    if views is None:
        _film(sheet, report)
        return
    for column, plane in enumerate(views.planes):
        sheet.image.paste(captioned(plane), (EDGE + column * (PLANE_SIDE + GAP), sheet.y))
    sheet.y += PLANE_SIDE + GAP
    for column, view in enumerate(views.strip):
        left = EDGE + column * (STRIP_SIDE + 8)
        sheet.image.paste(view.image, (left, sheet.y))
        corner = (left + STRIP_SIDE - 6, sheet.y + STRIP_SIDE - 7)
        sheet.text(corner, str(view.slice_number), 14, anchor="rs", halo=2)
    sheet.text((EDGE, sheet.y + STRIP_SIDE + 24), strip_caption(views), 15, FAINT)
    sheet.y += STRIP_SIDE + 42


def strip_caption(views: Views) -> str:
    """What the strip shows."""
    first = views.strip[0]
    return (
        f"{first.name} slices through the structure, of {first.slices}; "
        "windowed to the images' own range"
    )


def captioned(view: View) -> Image.Image:
    """The image of `view` with its name, slice number and orientation letters."""
    image, side = view.image.copy(), view.image.width
    sheet, middle, inset = _Sheet(image), side / 2, 10
    sheet.text((inset, 25), view.name, 17, font=BOLD, halo=2)
    number = f"{view.slice_number} / {view.slices}"
    sheet.text((inset, side - inset), number, 15, halo=2)
    on_left, on_right, above, below = view.letters
    sheet.text((inset, middle), on_left, 18, WARNING, BOLD, "lm", 2)
    sheet.text((side - inset, middle), on_right, 18, WARNING, BOLD, "rm", 2)
    sheet.text((middle, inset), above, 18, WARNING, BOLD, "mt", 2)
    sheet.text((middle, side - inset), below, 18, WARNING, BOLD, "ms", 2)
    return image


def _film(sheet: _Sheet, report: Report) -> None:
    image = film(report, WIDTH - 2 * EDGE, 760)
    if image is not None:
        sheet.image.paste(image, ((WIDTH - image.width) // 2, sheet.y))
        sheet.y += image.height + GAP


def _columns(sheet: _Sheet, report: Report) -> None:
    """Results on the left, where they come from on the right."""
    top, middle = sheet.y, EDGE + 560
    if not report.rows:
        sheet.y = _facts(sheet, report, EDGE, top) + GAP
        return
    left_end = _results(sheet, report, EDGE, top, middle - GAP - 8)
    right_end = _facts(sheet, report, middle + 8, top)
    sheet.y = max(left_end, right_end) + GAP


def _results(sheet: _Sheet, report: Report, left: int, top: int, right: int) -> int:
    height = 40
    bottom = top + 20 + height * len(report.rows)
    sheet.pen.rounded_rectangle((left, top, right, bottom), 8, fill=PANEL)
    y = top + 6
    for number, row in enumerate(report.rows):
        baseline = y + 32
        if number:
            sheet.pen.line((left + 20, y + 4, right - 20, y + 4), LINE)
        if row.colour:
            box = (left + 20, baseline - 14, left + 34, baseline)
            sheet.pen.rounded_rectangle(box, 3, fill=row.colour)
        label = _fit(row.label, pixels(REGULAR, 21), right - left - 290)
        sheet.text((left + 46, baseline), label, 21)
        sheet.text((right - 158, baseline), row.value, 24, font=BOLD, anchor="rs")
        sheet.text((right - 150, baseline), row.unit, 18, FAINT)
        if row.uncertainty:
            sheet.text(
                (right - 20, baseline),
                f"\N{PLUS-MINUS SIGN} {row.uncertainty}",
                18,
                FAINT,
                anchor="rs",
            )
        y += height
    return bottom


def _facts(sheet: _Sheet, report: Report, left: int, top: int) -> int:
    y = top + 6
    for name, words in report.facts:
        lines = _wrap(words, pixels(REGULAR, 18), WIDTH - EDGE - left - 140)
        sheet.text((left, y + 18), name, 16, FAINT)
        for line in lines:
            sheet.text((left + 140, y + 18), line, 18)
            y += 26
        y += 6
    return y


def _notes(sheet: _Sheet, report: Report) -> None:
    for note in report.notes:
        lines = _wrap(note, pixels(REGULAR, 18), WIDTH - 2 * EDGE - 28)
        sheet.pen.ellipse((EDGE + 4, sheet.y + 10, EDGE + 12, sheet.y + 18), fill=WARNING)
        for line in lines:
            sheet.text((EDGE + 28, sheet.y + 20), line, 18)
            sheet.y += 27
        sheet.y += 4


def _footer(sheet: _Sheet) -> None:
    sheet.y += 8
    sheet.pen.line((EDGE, sheet.y, WIDTH - EDGE, sheet.y), LINE)
    words = (
        "Made by a computer program without a medical device approval. "
        "Verify against the images; never base a decision on it."
    )
    sheet.text((EDGE, sheet.y + 28), words, 15, FAINT)
    sheet.text((WIDTH - EDGE, sheet.y + 28), "Hilum", 15, FAINT, BOLD, "rs")
    sheet.y += 48 + CORNER


def _wrap(words: str, font: object, width: float) -> Sequence[str]:
    lines = [""]
    for word in shown(words).split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or font.getlength(longer) <= width:  # type: ignore[attr-defined]
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _fit(words: str, font: object, width: float) -> str:
    words = shown(words)
    if font.getlength(words) <= width:  # type: ignore[attr-defined]
        return words
    while words and font.getlength(f"{words}...") > width:  # type: ignore[attr-defined]
        words = words[:-1]
    return f"{words.rstrip()}..."
