"""The pages of films: what is said of all of them first, then a page for each."""

from collections.abc import Iterator, Sequence

from PIL import Image
from pydicom.dataset import Dataset
from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.platypus.flowables import Flowable, KeepTogether, PageBreak, Spacer
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import TableStyle

from hilum.findings import Classification
from hilum.objects.report import Report
from hilum.objects.report.evidence import OUTLINE_COLOUR
from hilum.objects.report.films import FilmReport, Outcome, Tone, percent
from hilum.objects.report.rows import row_of
from hilum.objects.sheet.film_picture import illustrated, in_rows, legend
from hilum.objects.sheet.flowables import (
    AMBER,
    AMBER_INK,
    AMBER_PALE,
    FAINT,
    LINE,
    NUMBER,
    RED,
    RED_PALE,
    SMALL,
    WIDTH,
    Picture,
    facts,
    heading,
    identity,
    paragraph,
    table,
    warning,
)
from hilum.objects.sheet.typeface import MOST_IN_CELL, REGULAR

BLUE, BLUE_PALE, GREY = HexColor(0x1C66AD), HexColor(0xE8F1FA), HexColor(0x97A1AC)
TONES = {
    Tone.RESULT: (BLUE, BLUE_PALE),
    Tone.ABSTAINED: (AMBER_INK, AMBER_PALE),
    Tone.REFUSED: (RED, RED_PALE),
}
GAP = 3 * mm
PANE = (WIDTH - GAP) / 2
HIGHEST = 78 * mm  # of a film; what is said of it has to stand on the same page
DOTS = 1200 / (170 * mm)  # pixels for each point of the page
LABEL, VALUE = 42 * mm, 18 * mm
BAR = WIDTH - LABEL - VALUE - 4 * mm


def story(report: Report, header: Dataset) -> Iterator[Flowable]:
    """Everything the pages show; `header` holds the patient and study attributes to print."""
    if report.conclusion:
        yield from _summary(report, report.conclusion, header)
    for film in report.films:
        if report.conclusion:
            yield PageBreak()
        yield from _film(report, film, header)


def _summary(report: Report, conclusion: Outcome, header: Dataset) -> Iterator[Flowable]:
    yield from (identity(header), Spacer(0, 3 * mm))
    yield heading(f"Summary of {len(report.films)} films of this study")
    yield from (_headline(conclusion), Spacer(0, 3 * mm))
    for row in in_rows(report.films):
        yield from (_cards(row, len(in_rows(report.films)[0])), Spacer(0, 3 * mm))
    bases = tuple(dict.fromkeys(basis for film in report.films for basis in film.bases))
    yield from _remarks(report, bases, report.notes)
    yield KeepTogether([heading("Where this comes from"), facts(report.facts)])


def _film(report: Report, film: FilmReport, header: Dataset) -> Iterator[Flowable]:
    yield from (identity(header), Spacer(0, 3 * mm))
    if film.count > 1:
        yield heading(f"{film.name} of {film.count}")
    if film.outcome:
        yield from (_headline(film.outcome), Spacer(0, 3 * mm))
    yield from _pictures(film)
    if film.classifications or film.measurements:
        yield from (_numbers(film), Spacer(0, 3 * mm))
    yield from _remarks(report, film.bases, film.notes)
    pairs = (("Film", film.description), *report.provenance)
    yield KeepTogether([heading("Where this comes from"), facts(pairs)])


def _headline(outcome: Outcome) -> Flowable:
    strong, pale = TONES[outcome.tone]
    return warning(outcome.words, outcome.detail, strong, pale, size=17)


def _pictures(film: FilmReport) -> Iterator[Flowable]:
    images = illustrated(film, PANE * DOTS, HIGHEST * DOTS)
    if not images:
        yield from (Paragraph("The film itself cannot be shown.", SMALL), Spacer(0, 3 * mm))
        return
    cells: list[object] = [_shown(image, PANE) for image in images]
    captions: list[object] = [Paragraph("The film, windowed to its own range", SMALL)]
    if len(images) > 1:
        captions.append(_Legend(film))
    made = table([cells, captions], [PANE + GAP, PANE][: len(cells)])
    made.setStyle(TableStyle([("ALIGN", (0, 0), (-1, 0), "LEFT")]))
    yield from (made, Spacer(0, 3 * mm))


def _shown(image: Image.Image, width: float) -> Picture:
    return Picture(image, min(width, image.width / DOTS))


def _numbers(film: FilmReport) -> Flowable:
    rows: list[list[object]] = []
    for classification in film.classifications:
        for score in classification.scores:
            chosen = score == classification.outcome
            value = Paragraph(percent(score.value), NUMBER)
            rows.append(
                [_bold(score.label, chosen), _Bar(classification, score.value, chosen), value]
            )
        if classification.threshold:
            words = f"The program abstains below {percent(classification.threshold)} (line)."
            rows.append(["", Paragraph(words, SMALL), ""])
    for row in map(row_of, film.measurements):
        value = Paragraph(f"{row.value} {row.unit}".strip(), NUMBER)
        rows.append([paragraph(row.label, MOST_IN_CELL), "", value])
    made = table(rows, [LABEL, BAR + 4 * mm, VALUE])
    style: list[tuple[object, ...]] = [
        ("TOPPADDING", (0, 0), (-1, 0), 7),
        ("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE),
        ("LINEBELOW", (0, -1), (-1, -1), 0.5, LINE),
    ]
    style += [("SPAN", (0, n), (1, n)) for n, row in enumerate(rows) if row[1] == ""]
    made.setStyle(TableStyle(style))
    return made


def _bold(words: str, is_bold: bool) -> Paragraph:
    made = paragraph(words)
    return Paragraph(f"<b>{made.text}</b>", made.style) if is_bold else made


def _remarks(report: Report, bases: Sequence[str], remarks: Sequence[str]) -> Iterator[Flowable]:
    if report.incomplete:
        yield from (warning(None, report.incomplete, AMBER, AMBER_PALE), Spacer(0, 3 * mm))
    said = dict.fromkeys((*bases, *remarks, *((report.replaces,) if report.replaces else ())))
    if said:
        yield heading("What to know")
        yield from (paragraph(words) for words in said)
        yield Spacer(0, 3 * mm)


def _cards(films: Sequence[FilmReport], across: int) -> Flowable:
    width = WIDTH / across
    pictures, words = [], []
    for film in films:
        images = illustrated(film, (width - GAP) * DOTS, 62 * mm * DOTS)[-1:]
        pictures.append(_shown(images[0], width - GAP) if images else "")
        words.append([paragraph(film.name), *_gist(film)])
    made = table([pictures, words], [width] * len(films))
    made.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return made


def _gist(film: FilmReport) -> Iterator[Flowable]:
    if film.outcome:
        strong = TONES[film.outcome.tone][0].hexval()[2:]
        words = paragraph(film.outcome.words, MOST_IN_CELL)
        yield Paragraph(f'<font color="#{strong}"><b>{words.text}</b></font>', words.style)
    yield Paragraph(paragraph(film.gist, MOST_IN_CELL).text, SMALL)


class _Bar(Flowable):
    """A score as a bar, with the line below which the program abstains."""

    def __init__(self, classification: Classification, value: float, chosen: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.threshold, self.value, self.chosen = classification.threshold, value, chosen

    def wrap(self, *available: float) -> tuple[float, float]:
        return BAR, 10

    def draw(self) -> None:
        self.canv.setFillColor(LINE)
        self.canv.roundRect(0, 0, BAR, 10, 2, 0, 1)
        self.canv.setFillColor(BLUE if self.chosen else GREY)
        if self.value > 0:
            self.canv.roundRect(0, 0, max(BAR * self.value, 4), 10, 2, 0, 1)
        if self.threshold:
            self.canv.setStrokeColor(AMBER_INK)
            self.canv.line(BAR * self.threshold, -4, BAR * self.threshold, 14)


class _Legend(Flowable):
    """Less evidence, colours, more evidence; and the line around the lungs."""

    def __init__(self, film: FilmReport) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        heat = film.heat_map
        self.outlined = heat is not None and heat.region is not None
        self.colours = Picture(legend(160, 12), 22 * mm)

    def wrap(self, *available: float) -> tuple[float, float]:
        return PANE, 13.5

    def draw(self) -> None:
        canvas = self.canv
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(FAINT)
        canvas.drawString(0, 4, "less")
        self.colours.drawOn(canvas, 7 * mm, 4)  # type: ignore[no-untyped-call]
        canvas.drawString(30 * mm, 4, "more evidence")
        if self.outlined:
            canvas.drawRightString(PANE, 4, "outline of the lungs")
            end = PANE - canvas.stringWidth("outline of the lungs") - 4
            canvas.setStrokeColorRGB(*(value / 255 for value in OUTLINE_COLOUR))
            canvas.line(end - 16, 6.5, end, 6.5)
