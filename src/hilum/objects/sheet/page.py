"""The printed report: A4, vector text, embedded fonts, the same bytes for the same content."""

from collections.abc import Iterator
from functools import partial
from io import BytesIO

from pydicom.dataset import Dataset
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus.doctemplate import SimpleDocTemplate
from reportlab.platypus.flowables import Flowable, KeepTogether, Spacer
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table, TableStyle

from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.report.films import Outcome, Tone
from hilum.objects.report.planes import Views
from hilum.objects.report.rows import LIMIT
from hilum.objects.sheet import film_page, tables
from hilum.objects.sheet.flowables import (
    AMBER,
    AMBER_INK,
    AMBER_PALE,
    FAINT,
    INK,
    LINE,
    MARGIN,
    RED,
    RED_PALE,
    SMALL,
    WIDTH,
    beside,
    facts,
    heading,
    identity,
    paragraph,
    table,
    warning,
)
from hilum.objects.sheet.picture import captioned, numbered
from hilum.objects.sheet.tables import Swatch
from hilum.objects.sheet.typeface import BOLD, REGULAR, register, shown

FRAME_PADDING = 6  # reportlab's own, inside the margins
COLUMN_GAP = 6 * mm
FEW = 12  # lines that can stand beside others; more go on over the pages
PLOT_HEIGHT, HIGHEST_PLOT = 34 * mm, 200 * mm
CALM = (46, 150, 95)


def draw(report: Report, header: Dataset) -> bytes:
    """The document; `header` holds the patient and study attributes to print."""
    register()
    story = list(film_page.story(report, header) if report.films else _story(report, header))
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN - FRAME_PADDING,
        rightMargin=MARGIN - FRAME_PADDING,
        topMargin=26 * mm,
        bottomMargin=20 * mm,
        title=f"{report.title} - {NOT_FOR_DIAGNOSIS}",
        author="Hilum",
        lang="en",
        invariant=1,
        initialFontName=REGULAR,  # reportlab would name Helvetica, which is not embedded
    )
    frame = partial(_frame, report)
    document.build(story, onFirstPage=frame, onLaterPages=frame)
    return file.getvalue()


def _story(report: Report, header: Dataset) -> Iterator[Flowable]:
    gap = Spacer(0, 4 * mm)
    yield from (identity(header), Spacer(0, 4 * mm))
    if report.confidence:
        yield from (_confidence(report.confidence), gap)
    if report.incomplete:
        yield from (warning(None, report.incomplete, AMBER, AMBER_PALE), gap)
    if report.grid or report.rows:
        yield from (heading("Results"), *_results(report), gap)
    if report.changes:
        yield from (heading("Change since earlier exams"), *_changes(report), gap)
    if report.remarks:
        yield from (heading("Notes"), *map(paragraph, report.remarks), gap)
    if not report.refusal and report.views:
        yield from (*_images(report.views), gap)
    yield KeepTogether([heading("Where this comes from"), facts(report.facts)])


def _confidence(confidence: Outcome) -> Flowable:
    """A warning is a box, that there is none a line."""
    if confidence.tone is Tone.RESULT:
        return table([[Swatch(CALM), paragraph(confidence.words)]], [6 * mm, WIDTH - 6 * mm])
    colours = (RED, RED_PALE) if confidence.tone is Tone.REFUSED else (AMBER_INK, AMBER_PALE)
    return warning(confidence.words, confidence.detail, *colours, size=12)


def _results(report: Report) -> Iterator[Flowable]:
    """The grid and, beside it, what it has no place for."""
    if report.grid and report.rows and max(len(report.grid.lines), len(report.rows)) <= FEW:
        left = WIDTH * 0.56
        right = WIDTH - left - COLUMN_GAP
        yield _beside(tables.grid(report.grid, left), tables.rows(report.rows, right), left)
    else:
        if report.grid:
            yield tables.grid(report.grid, WIDTH)
        if report.rows:
            yield tables.rows(report.rows, WIDTH)
    if report.legend:
        yield Paragraph(report.legend, SMALL)


def _changes(report: Report) -> Iterator[Flowable]:
    """What has changed, and the plot."""
    yield tables.changes(report.changes, WIDTH)
    yield Paragraph(LIMIT, SMALL)
    if report.course:
        yield Spacer(0, 2 * mm)
        labels = len(report.course.tracks) * 10.0
        yield tables.Plot(report.course, WIDTH, min(max(labels, PLOT_HEIGHT), HIGHEST_PLOT))


def _beside(left: Flowable, right: Flowable, width: float) -> Table:
    """Two things on a line, the left one `width` points wide."""
    made = table([[left, "", right]], [width, COLUMN_GAP, WIDTH - width - COLUMN_GAP])
    rules = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
    ]
    made.setStyle(TableStyle(rules))
    return made


def _frame(report: Report, canvas: Canvas, document: SimpleDocTemplate) -> None:
    """Title, warning and footer of every page."""
    top = A4[1] - 17 * mm
    words = NOT_FOR_DIAGNOSIS.upper()
    canvas.setFont(BOLD, 8.5)
    width = canvas.stringWidth(words, BOLD, 8.5) + 7 * mm
    title, room = shown(report.title), WIDTH - width - 4 * mm
    size = min(18, 18 * room / canvas.stringWidth(title, BOLD, 18))
    canvas.setFillColor(INK)
    canvas.setFont(BOLD, size)
    canvas.drawString(MARGIN, top - 1 * mm, title)
    canvas.setFont(BOLD, 8.5)
    canvas.setFillColor(AMBER)
    canvas.roundRect(A4[0] - MARGIN - width, top - 2.8 * mm, width, 7.6 * mm, 1.5 * mm, 0, 1)
    canvas.setFillColor(INK)
    canvas.drawCentredString(A4[0] - MARGIN - width / 2, top - 0.1 * mm, words)
    canvas.setStrokeColor(LINE)
    canvas.line(MARGIN, top - 7 * mm, A4[0] - MARGIN, top - 7 * mm)
    canvas.line(MARGIN, 16 * mm, A4[0] - MARGIN, 16 * mm)
    canvas.setFont(REGULAR, 7.5)
    canvas.setFillColor(FAINT)
    canvas.drawString(
        MARGIN,
        12 * mm,
        "Made by a computer program without a medical device approval. "
        "Verify against the images; never base a decision on it.",
    )
    canvas.drawRightString(A4[0] - MARGIN, 12 * mm, f"Hilum    page {document.page}")


def _images(views: Views) -> Iterator[Flowable]:
    gap = 2 * mm
    yield from (beside([captioned(view) for view in views.planes], gap), Spacer(0, gap / 2))
    strip = [beside([numbered(view) for view in row], gap / 2) for row in views.rows]
    yield KeepTogether([*strip, Paragraph(views.caption, SMALL)])
