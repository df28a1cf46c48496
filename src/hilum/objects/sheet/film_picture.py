"""The picture of one film: beside it the same film with its evidence, below what was found.

And the picture of a study of several films: each of them small, with its outcome.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from hilum.findings import Classification
from hilum.objects.report import Report
from hilum.objects.report.evidence import OUTLINE_COLOUR, colours, fitted
from hilum.objects.report.films import FilmReport, Outcome, Tone, percent
from hilum.objects.report.rows import row_of
from hilum.objects.sheet.sheet import (
    ALARM,
    EDGE,
    FAINT,
    GAP,
    INNER,
    LINE,
    PANEL,
    TEXT,
    WARNING,
    WIDTH,
    Colour,
    Sheet,
    banner,
    facts,
    fit,
    footer,
    header,
    notes,
    wrap,
)
from hilum.objects.sheet.typeface import BOLD, REGULAR, pixels

STRONG = (96, 186, 255)
TONES: dict[Tone, Colour] = {Tone.RESULT: STRONG, Tone.ABSTAINED: WARNING, Tone.REFUSED: ALARM}
PANE = (INNER - GAP) // 2
HIGHEST = 600  # of a film
COLUMN = 620  # width of the results; where they come from stands beside them
LABEL, BAR = 190, 300
THUMB = 340  # height of a thumbnail


def draw(report: Report, film: FilmReport) -> Image.Image:
    """RGB, 1280 pixels wide, as high as its content."""
    sheet = Sheet.blank()
    place = f"{film.name} of {film.count}: " if film.count > 1 else ""
    header(sheet, report.title, place + film.description)
    if film.outcome and film.outcome.tone is Tone.REFUSED:
        banner(sheet, film.outcome.detail, ALARM, film.outcome.words, 36)
        _refused(sheet, report, film)
    else:
        _panes(sheet, film)
        if film.outcome:
            _headline(sheet, film.outcome)
        _columns(sheet, report, film)
    if report.incomplete:
        banner(sheet, report.incomplete, WARNING)
    _remarks(sheet, report, film.bases, film.notes)
    footer(sheet)
    return sheet.finished()


def draw_summary(report: Report, conclusion: Outcome) -> Image.Image:
    """All films of a study and what is said of them together, RGB as `draw`."""
    sheet = Sheet.blank()
    header(sheet, report.title, f"Summary of {len(report.films)} films of this study")
    banner(sheet, conclusion.detail, TONES[conclusion.tone], conclusion.words, 36)
    for row in in_rows(report.films):
        _cards(sheet, row, len(in_rows(report.films)[0]))
    if report.incomplete:
        banner(sheet, report.incomplete, WARNING)
    sheet.y = facts(sheet, report.provenance, EDGE, sheet.y) + GAP
    bases = tuple(dict.fromkeys(basis for film in report.films for basis in film.bases))
    _remarks(sheet, report, bases, report.notes)
    footer(sheet)
    return sheet.finished()


def in_rows(films: Sequence[FilmReport]) -> list[Sequence[FilmReport]]:
    """Two or three side by side, so that no row looks empty."""
    across = 2 if len(films) in (2, 4) else 3
    return [films[first : first + across] for first in range(0, len(films), across)]


def legend(width: int, height: int) -> Image.Image:
    """The colours of the heat map from none to most, as they look upon grey."""
    colour, alpha = colours(np.linspace(0, 1, width, dtype=np.float32))
    row = 96 + alpha * (colour - 96)
    return Image.fromarray(np.repeat(row[None], height, axis=0).round().astype(np.uint8))


def illustrated(film: FilmReport, width: float, height: float) -> list[Image.Image]:
    """The film as it is and, if there is a heat map, with it; none if it cannot be read."""
    images = (film.picture, film.evidence)
    return [fitted(image, width, height).convert("RGB") for image in images if image]


def _panes(sheet: Sheet, film: FilmReport) -> None:
    images = illustrated(film, PANE, HIGHEST)
    if not images:
        return
    bottom = sheet.y + images[0].height
    lefts = [EDGE, EDGE + PANE + GAP] if len(images) > 1 else [(WIDTH - PANE) // 2]
    for left, image in zip(lefts, images, strict=True):
        sheet.pen.rectangle((left, sheet.y, left + PANE - 1, bottom - 1), fill=0)
        sheet.image.paste(image, (left + (PANE - image.width) // 2, sheet.y))
    sheet.text((lefts[0], bottom + 26), "The film, windowed to its own range", 17, FAINT)
    if film.heat_map:
        _legend(sheet, film, lefts[1], bottom + 26)
    sheet.y = bottom + 44


def _legend(sheet: Sheet, film: FilmReport, left: int, baseline: int) -> None:
    sheet.text((left, baseline), "less evidence", 17, FAINT)
    sheet.image.paste(legend(150, 14), (left + 112, baseline - 13))
    sheet.text((left + 272, baseline), "more evidence", 17, FAINT)
    heat = film.heat_map
    if heat is not None and heat.region is not None:
        right = left + PANE
        sheet.text((right, baseline), "outline of the lungs", 17, FAINT, anchor="rs")
        start = right - pixels(REGULAR, 17).getlength("outline of the lungs") - 10
        sheet.pen.line((start - 26, baseline - 6, start, baseline - 6), OUTLINE_COLOUR, 2)


def _headline(sheet: Sheet, outcome: Outcome) -> None:
    banner(sheet, outcome.detail, TONES[outcome.tone], outcome.words, 36)


def _columns(sheet: Sheet, report: Report, film: FilmReport) -> None:
    """Scores and numbers on the left, where they come from on the right."""
    top = y = sheet.y
    for classification in film.classifications:
        y = _scores(sheet, classification, y)
    for row in map(row_of, film.measurements):
        y = _number(sheet, row.label, f"{row.value} {row.unit}".strip(), y)
    right = facts(sheet, report.provenance, EDGE + COLUMN + 40, top)
    sheet.y = max(y, right) + GAP


def _scores(sheet: Sheet, classification: Classification, top: int) -> int:
    height, track = 46, EDGE + 20 + LABEL
    threshold = classification.threshold
    bottom = top + 22 + height * len(classification.scores) + (28 if threshold else 0)
    sheet.pen.rounded_rectangle((EDGE, top, EDGE + COLUMN, bottom), 8, fill=PANEL)
    y = top + 10
    for score in classification.scores:
        chosen = score == classification.outcome
        label = fit(score.label, pixels(BOLD, 22), LABEL - 12)
        sheet.text((EDGE + 20, y + 31), label, 22, font=BOLD if chosen else REGULAR)
        sheet.pen.rounded_rectangle((track, y + 13, track + BAR, y + 35), 4, fill=LINE)
        if (length := round(BAR * score.value)) > 0:
            box = (track, y + 13, track + max(length, 8), y + 35)
            sheet.pen.rounded_rectangle(box, 4, fill=STRONG if chosen else FAINT)
        value = (EDGE + COLUMN - 20, y + 32)
        sheet.text(value, percent(score.value), 25, font=BOLD, anchor="rs")
        y += height
    if threshold:
        x = track + round(BAR * threshold)
        sheet.pen.line((x, top + 16, x, y + 4), WARNING, 2)
        words = f"abstains below {percent(threshold)}"
        anchor = "ms" if threshold < 0.7 else "rs"
        sheet.text((x, y + 24), words, 16, WARNING, anchor=anchor)
    return bottom + GAP


def _number(sheet: Sheet, label: str, value: str, top: int) -> int:
    bottom = top + 48
    sheet.pen.rounded_rectangle((EDGE, top, EDGE + COLUMN, bottom), 8, fill=PANEL)
    sheet.text((EDGE + 20, top + 32), fit(label, pixels(REGULAR, 20), COLUMN - 180), 20)
    sheet.text((EDGE + COLUMN - 20, top + 33), value, 23, TEXT, BOLD, "rs")
    return bottom + GAP // 2


def _refused(sheet: Sheet, report: Report, film: FilmReport) -> None:
    """The film on the left, as far as it can be shown; where it comes from beside it."""
    top = sheet.y
    for image in illustrated(film, COLUMN, HIGHEST)[:1]:
        sheet.pen.rectangle((EDGE, top, EDGE + COLUMN, top + image.height), fill=0)
        sheet.image.paste(image, (EDGE + (COLUMN - image.width) // 2, top))
        sheet.y = top + image.height
    if film.picture is None:
        sheet.text((EDGE, top + 30), "The film itself cannot be shown.", 20, FAINT)
        sheet.y = top + 44
    right = facts(sheet, report.provenance, EDGE + COLUMN + 40, top)
    sheet.y = max(sheet.y, right) + GAP


def _remarks(
    sheet: Sheet, report: Report, bases: tuple[str, ...], remarks: tuple[str, ...]
) -> None:
    """What the scores are, then everything else to know."""
    for basis in bases:
        for line in wrap(basis, pixels(REGULAR, 20), INNER):
            sheet.text((EDGE, sheet.y + 20), line, 20)
            sheet.y += 29
        sheet.y += 6
    said = (*remarks, *((report.replaces,) if report.replaces else ()))
    notes(sheet, [text for text in dict.fromkeys(said) if text not in bases])


def _cards(sheet: Sheet, films: Sequence[FilmReport], across: int) -> None:
    width = (INNER - (across - 1) * GAP) // across
    top, bottom = sheet.y, sheet.y + THUMB + 128
    for column, film in enumerate(films):
        left = EDGE + column * (width + GAP)
        sheet.pen.rounded_rectangle((left, top, left + width, bottom), 8, fill=PANEL)
        sheet.pen.rectangle((left + 8, top + 8, left + width - 8, top + 8 + THUMB), fill=0)
        for image in illustrated(film, width - 16, THUMB)[-1:]:
            x = left + (width - image.width) // 2
            sheet.image.paste(image, (x, top + 8 + (THUMB - image.height) // 2))
        _caption(sheet, film, left + 16, top + THUMB + 8, width - 32)
    sheet.y = bottom + GAP


def _caption(sheet: Sheet, film: FilmReport, left: int, top: int, width: int) -> None:
    view = film.film.header.get("ViewPosition")
    name = f"{film.name}{f', view {view}' if view else ''}"
    sheet.text((left, top + 26), fit(name, pixels(REGULAR, 17), width), 17, FAINT)
    outcome = film.outcome
    if outcome is None:
        return
    words = fit(outcome.words, pixels(BOLD, 20), width)
    sheet.text((left, top + 54), words, 20, TONES[outcome.tone], BOLD)
    for number, line in enumerate(wrap(film.gist, pixels(REGULAR, 17), width)[:2]):
        sheet.text((left, top + 82 + 24 * number), line, 17)
