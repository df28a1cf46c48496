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

from hilum.objects import film_page
from hilum.objects.flowables import (
    AMBER,
    AMBER_PALE,
    CELL,
    FAINT,
    INK,
    LINE,
    MARGIN,
    NUMBER,
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
from hilum.objects.picture import captioned, strip_caption
from hilum.objects.planes import Views
from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.typeface import BOLD, REGULAR, register, shown

FRAME_PADDING = 6  # reportlab's own, inside the margins


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
    yield from (identity(header), Spacer(0, 5 * mm))
    if report.refusal:
        yield from (warning("NO RESULT", report.refusal, RED, RED_PALE), gap)
    if report.incomplete:
        yield from (warning(None, report.incomplete, AMBER, AMBER_PALE), gap)
    if report.rows:
        yield from (heading("Results"), _results(report), gap)
    if report.notes:
        yield from (heading("Notes"), *map(paragraph, report.notes), gap)
    if not report.refusal and report.views:
        yield from (*_images(report.views), gap)
    yield KeepTogether([heading("Where this comes from"), facts(report.facts)])


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


def _results(report: Report) -> Table:
    rows = []
    for row in report.rows:
        uncertainty = f"\N{PLUS-MINUS SIGN} {row.uncertainty}" if row.uncertainty else ""
        rows.append(
            [
                _Swatch(row.colour) if row.colour else "",
                paragraph(row.label),
                Paragraph(row.value, NUMBER),
                paragraph(row.unit),
                Paragraph(uncertainty, CELL),
            ]
        )
    made = table(rows, [6 * mm, WIDTH - 82 * mm, 28 * mm, 18 * mm, 30 * mm])
    style = [
        ("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    made.setStyle(TableStyle(style))
    return made


def _images(views: Views) -> list[Flowable]:
    gap = 2 * mm
    return [
        beside([captioned(view) for view in views.planes], gap),
        Spacer(0, gap),
        beside([view.image for view in views.strip], gap / 2),
        Paragraph(strip_caption(views), SMALL),
    ]


class _Swatch(Flowable):
    """A small square in the colour of a segment."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.colour = colour
        self.width = self.height = 8

    def draw(self) -> None:
        self.canv.setFillColorRGB(*(value / 255 for value in self.colour))
        self.canv.roundRect(0, 0, self.width, self.height, 1.5, 0, 1)
