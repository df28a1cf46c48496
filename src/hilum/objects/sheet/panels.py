"""The boxes of a picture that hold numbers: the grid, rows, and changes with their plot."""

from collections.abc import Sequence

from PIL import Image

from hilum.objects.report.course import ChangeRow, Course, Dot, Step, Stroke, Words
from hilum.objects.report.rows import LIMIT, Colour, Grid, Line, Row
from hilum.objects.sheet.sheet import FAINT, LINE, PANEL, TEXT, Sheet, wrap
from hilum.objects.sheet.typeface import BOLD, REGULAR, pixels

INSET = 22
SWATCH = 14
NAMES = 0.29  # of a grid's width
FEW = 2  # structures that a grid can show large
SHARPER = 3  # strokes are drawn so many times larger, for Pillow draws slanted ones jagged


def panel(width: int) -> Sheet:
    """An empty box, to be filled from the top."""
    return Sheet(Image.new("RGB", (width, 4000), PANEL), 12)


def place(sheet: Sheet, panels: Sequence[Sheet], gap: int, left: int) -> None:
    """Put `panels` side by side, all as high as the fullest."""
    height = max(each.y for each in panels) + 10
    for each in panels:
        right, bottom = left + each.image.width, sheet.y + height
        sheet.pen.rounded_rectangle((left, sheet.y, right - 1, bottom), 8, fill=PANEL)
        inner = each.image.crop((8, 8, each.image.width - 8, height - 8))
        sheet.image.paste(inner, (left + 8, sheet.y + 8))
        left = right + gap
    sheet.y += height + gap


def grid(sheet: Sheet, shown: Grid) -> None:
    """Structures and their parts down, sides across; what is no part is large."""
    first = INSET + round(sheet.image.width * NAMES)
    step = (sheet.image.width - first - 10) // len(shown.columns)
    lefts = [first + number * step for number in range(len(shown.columns))]
    if any(shown.columns):
        for left, name in zip(lefts, shown.columns, strict=True):
            sheet.text((left + SWATCH + 10, sheet.y + 22), name, 20, FAINT, BOLD)
        sheet.y += 26
    is_large = sum(not line.is_part for line in shown.lines) <= FEW
    for number, line in enumerate(shown.lines):
        if number and not line.is_part:
            sheet.pen.line((INSET, sheet.y + 3, sheet.image.width - INSET, sheet.y + 3), LINE)
        _line(sheet, line, lefts, is_large)


def _line(sheet: Sheet, line: Line, lefts: Sequence[int], is_large: bool) -> None:
    left = INSET + (22 if line.is_part else 0)
    size, height = (20, 36) if line.is_part else (24, 58) if is_large else (21, 42)
    font = REGULAR if line.is_part else BOLD
    names = wrap(line.name, pixels(font, size), lefts[0] - left - 12)
    baseline = sheet.y + round(height * 0.72)
    for number, words in enumerate(names):
        sheet.text((left, baseline + number * (size + 6)), words, size, font=font)
    value = 38 if is_large and not line.is_part else 22
    for x, cell in zip(lefts, line.cells, strict=True):
        if cell:
            _swatch(sheet, cell.colour, x, baseline)
            _value(sheet, cell, x + SWATCH + 10, baseline, value)
    sheet.y += height + (len(names) - 1) * (size + 6)


def _value(sheet: Sheet, row: Row, left: int, baseline: int, size: int) -> None:
    sheet.text((left, baseline), row.value, size, font=BOLD)
    left += round(pixels(BOLD, size).getlength(row.value)) + 8
    sheet.text((left, baseline), row.rest, max(16, size // 2), FAINT)


def rows(sheet: Sheet, shown: Sequence[Row]) -> None:
    """A line for each, its value at the right edge, its remark below."""
    for number, row in enumerate(shown):
        if number:
            sheet.pen.line((INSET, sheet.y + 4, sheet.image.width - INSET, sheet.y + 4), LINE)
        baseline = sheet.y + 34
        lines = _labelled(sheet, row.label, row.colour, row.value, row.rest, baseline)
        sheet.y += 44 + (lines - 1) * 26
        if row.remark:
            right = sheet.image.width - INSET
            sheet.text((right, sheet.y + 14), row.remark, 16, FAINT, anchor="rs")
            sheet.y += 24


def small(sheet: Sheet, words: str) -> None:
    """Small print, if there is any."""
    if words:
        sheet.text((INSET, sheet.y + 22), words, 15, FAINT)
        sheet.y += 28


def changes(sheet: Sheet, shown: Sequence[ChangeRow]) -> None:
    """A line for each measurement, below it one for each exam that it is compared with."""
    sheet.text((INSET, sheet.y + 24), "Change since earlier exams", 20, font=BOLD)
    sheet.y += 34
    right = sheet.image.width - INSET
    ends = _ends([step for row in shown for step in row.steps], INSET + SWATCH + 12, right)
    for row in shown:
        _swatch(sheet, row.colour, INSET, sheet.y + 22)
        left = INSET + (SWATCH + 12 if row.colour else 0)
        for line in wrap(row.label, pixels(REGULAR, 20), right - left):
            sheet.text((left, sheet.y + 22), line, 20)
            sheet.y += 28
        for step in row.steps:
            _step(sheet, step, ends, sheet.y + 20)
            sheet.y += 28
        sheet.y += 4
    small(sheet, LIMIT)


def _step(sheet: Sheet, step: Step, ends: Sequence[float], baseline: int) -> None:
    """Since when, how much, how quickly, and what it is worth; the columns end at `ends`."""
    telling = (TEXT, BOLD) if step.is_telling else (FAINT, REGULAR)
    styles = ((16, FAINT, REGULAR), (21, TEXT, BOLD), (16, FAINT, REGULAR), (16, FAINT, REGULAR))
    for words, end, style in zip(step.cells, ends, (*styles, (16, *telling)), strict=True):
        size, colour, font = style
        sheet.text((end, baseline), words, size, colour, font, "rs")


def _ends(steps: Sequence[Step], left: float, right: float) -> list[float]:
    """Where the columns of `steps` end, so that the last one ends at `right`."""
    sizes = (16, 21, 16, 16, 16)  # as if all were bold: none gets too little
    columns = zip(*(step.cells for step in steps), strict=True)
    widths = [
        max(pixels(BOLD, size).getlength(words) for words in column)
        for size, column in zip(sizes, columns, strict=True)
    ]
    gap = (right - left - sum(widths)) / (len(widths) - 1)
    gaps = (0, min(gap, 10), min(gap, 8), min(gap, 24))
    ends = [left + sum(widths[: n + 1]) + sum(gaps[: n + 1]) for n in range(len(gaps))]
    return [*ends, right]


def _labelled(
    sheet: Sheet, label: str, colour: Colour | None, value: str, rest: str, baseline: int
) -> int:
    """Label on the left, value on the right; how many lines the label takes."""
    left, right = INSET, sheet.image.width - INSET
    _swatch(sheet, colour, left, baseline)
    left += SWATCH + 12 if colour else 0
    if rest:
        sheet.text((right, baseline), rest, 18, FAINT, anchor="rs")
        right -= round(pixels(REGULAR, 18).getlength(rest)) + 8
    sheet.text((right, baseline), value, 26, font=BOLD, anchor="rs")
    right -= round(pixels(BOLD, 26).getlength(value)) + 16
    lines = wrap(label, pixels(REGULAR, 20), right - left)
    for number, words in enumerate(lines):
        sheet.text((left, baseline + number * 26), words, 20)
    return len(lines)


def course(sheet: Sheet, shown: Course, height: int) -> None:
    """Volumes against dates."""
    size, width = 16, sheet.image.width - 2 * INSET
    large = Image.new("RGB", (width * SHARPER, height * SHARPER), PANEL)
    plot = Sheet(large)
    for mark in shown.marks(width, height, size):
        _mark(plot, mark, size)
    sheet.image.paste(large.resize((width, height), Image.Resampling.LANCZOS), (INSET, sheet.y + 4))
    sheet.y += height + 4


def _mark(plot: Sheet, mark: Stroke | Dot | Words, size: int) -> None:
    match mark:
        case Stroke():
            points = [(x * SHARPER, y * SHARPER) for x, y in mark.points]
            plot.pen.line(points, mark.colour or LINE, (2 if mark.colour else 1) * SHARPER)
        case Dot():
            x, y = (place * SHARPER for place in mark.at)
            reach = 5 * SHARPER
            plot.pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=mark.colour)
        case Words():
            x, y = (place * SHARPER for place in mark.at)
            font = size * SHARPER
            plot.text(
                (x, y), mark.text, font, FAINT, anchor={-1: "ls", 0: "ms", 1: "rs"}[mark.align]
            )


def _swatch(sheet: Sheet, colour: Colour | None, left: int, baseline: int) -> None:
    if colour:
        box = (left, baseline - SWATCH, left + SWATCH, baseline)
        sheet.pen.rounded_rectangle(box, 3, fill=colour)
