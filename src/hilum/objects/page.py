"""The printed report: A4, vector text, embedded fonts, the same bytes for the same content."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from xml.sax.saxutils import escape

from PIL import Image
from pydicom.dataset import Dataset
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus.doctemplate import SimpleDocTemplate
from reportlab.platypus.flowables import Flowable, KeepTogether, Spacer
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table, TableStyle

from hilum.objects.film import film
from hilum.objects.picture import captioned, strip_caption
from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.typeface import BOLD, REGULAR, name_to_show, register, shown

INK, FAINT, LINE = HexColor(0x1B222B), HexColor(0x66707C), HexColor(0xD5DAE0)
AMBER, AMBER_PALE = HexColor(0xFFB830), HexColor(0xFFF3D9)
RED, RED_PALE = HexColor(0xC8372D), HexColor(0xFDE8E6)
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
FRAME_PADDING = 6  # reportlab's own, inside the margins

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=9.5, leading=13.5, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=8, leading=13.5, textColor=FAINT)
HEADING = ParagraphStyle("heading", BODY, fontName=BOLD, fontSize=10.5, leading=14, spaceAfter=3)
NUMBER = ParagraphStyle("number", BODY, fontName=BOLD, fontSize=11, alignment=2)
CELL = ParagraphStyle("cell", BODY, alignment=2)
WARNED = ParagraphStyle("warned", BODY, fontSize=10.5, leading=15)


def draw(report: Report, identity: Dataset) -> bytes:
    """The document; `identity` holds the patient and study attributes to print."""
    register()
    story: list[Flowable] = [_identity(identity), Spacer(0, 5 * mm)]
    if report.refusal:
        story += [_warning("NO RESULT", report.refusal, RED, RED_PALE), Spacer(0, 4 * mm)]
    if report.incomplete:
        story += [_warning(None, report.incomplete, AMBER, AMBER_PALE), Spacer(0, 4 * mm)]
    if report.rows:
        story += [_heading("Results"), _results(report), Spacer(0, 4 * mm)]
    if report.notes:
        story += [_heading("Notes"), *(_paragraph(note) for note in report.notes)]
        story.append(Spacer(0, 4 * mm))
    if not report.refusal:
        story += _images(report)
    story += [KeepTogether([_heading("Where this comes from"), _facts(report)])]
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


def _frame(report: Report, canvas: Canvas, document: SimpleDocTemplate) -> None:
    """Title, warning and footer of every page."""
    top = A4[1] - 17 * mm
    canvas.setFillColor(INK)
    canvas.setFont(BOLD, 18)
    canvas.drawString(MARGIN, top - 1 * mm, shown(report.title))
    words = NOT_FOR_DIAGNOSIS.upper()
    canvas.setFont(BOLD, 8.5)
    width = canvas.stringWidth(words, BOLD, 8.5) + 7 * mm
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


def _identity(identity: Dataset) -> Table:
    name = name_to_show(identity.get("PatientName")) or "see the image header"
    sex = {"M": "male", "F": "female", "O": "other"}.get(identity.get("PatientSex") or "", "")
    pairs = (
        ("Patient", name),
        ("Patient ID", identity.get("PatientID")),
        ("Born", _date(identity.get("PatientBirthDate"))),
        ("Sex", sex),
        ("Study", identity.get("StudyDescription")),
        ("Study date", _date(identity.get("StudyDate"))),
        ("Accession number", identity.get("AccessionNumber")),
    )
    cells = [[_label(label), _paragraph(str(value))] for label, value in pairs if value]
    half = (len(cells) + 1) // 2
    left, right = cells[:half], cells[half:] + [["", ""]] * (2 * half - len(cells))
    rows = [[*a, *b] for a, b in zip(left, right, strict=True)]
    label = 27 * mm
    value = WIDTH / 2 - label
    return _table(rows, [label, value, label, value])


def _warning(headline: str | None, words: str, strong: Color, pale: Color) -> Table:
    lines = [Paragraph(escape(shown(words)), WARNED)]
    if headline:
        style = ParagraphStyle("headline", HEADING, textColor=strong)
        lines.insert(0, Paragraph(headline, style))
    table = Table([[lines]], colWidths=[WIDTH])
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), pale),
                ("LINEBEFORE", (0, 0), (0, -1), 3, strong),
                ("LEFTPADDING", (0, 0), (-1, -1), 10),
                ("TOPPADDING", (0, 0), (-1, -1), 6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
            ]
        )
    )
    return table


def _results(report: Report) -> Table:
    rows = []
    for row in report.rows:
        uncertainty = f"\N{PLUS-MINUS SIGN} {row.uncertainty}" if row.uncertainty else ""
        rows.append(
            [
                _Swatch(row.colour) if row.colour else "",
                _paragraph(row.label),
                Paragraph(row.value, NUMBER),
                _paragraph(row.unit),
                Paragraph(uncertainty, CELL),
            ]
        )
    table = _table(rows, [6 * mm, WIDTH - 82 * mm, 28 * mm, 18 * mm, 30 * mm])
    style = [
        ("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    table.setStyle(TableStyle(style))
    return table


def _images(report: Report) -> list[Flowable]:
    views = report.views
    if views is None:
        image = film(report, 1100, 900)
        return [] if image is None else [_Picture(image, 120 * mm), Spacer(0, 4 * mm)]
    gap = 2 * mm
    return [
        _row_of([captioned(view) for view in views.planes], gap),
        Spacer(0, gap),
        _row_of([view.image for view in views.strip], gap / 2),
        Paragraph(strip_caption(views), SMALL),
        Spacer(0, 4 * mm),
    ]


def _row_of(images: list[Image.Image], gap: float) -> Table:
    width = (WIDTH + gap) / len(images)
    table = _table([[_Picture(image, width - gap) for image in images]], [width] * len(images))
    table.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return table


class _Picture(Flowable):
    """An image in memory; reportlab's own flowable takes only files."""

    def __init__(self, image: Image.Image, width: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image = image
        self.size = (width, width * image.height / image.width)

    def wrap(self, *available: float) -> tuple[float, float]:
        return self.size

    def draw(self) -> None:
        file = BytesIO()
        self.image.save(file, "JPEG", quality=92, subsampling=0)
        self.canv.drawImage(ImageReader(file), 0, 0, *self.size)


class _Swatch(Flowable):
    """A small square in the colour of a segment."""

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.colour = colour
        self.width = self.height = 8

    def draw(self) -> None:
        self.canv.setFillColorRGB(*(value / 255 for value in self.colour))
        self.canv.roundRect(0, 0, self.width, self.height, 1.5, 0, 1)


def _facts(report: Report) -> Table:
    rows = [[_label(name), _paragraph(words)] for name, words in report.facts]
    return _table(rows, [27 * mm, WIDTH - 27 * mm])


def _table(rows: Sequence[Sequence[object]], widths: Sequence[float]) -> Table:
    table = Table(rows, colWidths=widths, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("FONTNAME", (0, 0), (-1, -1), REGULAR),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _heading(words: str) -> Paragraph:
    return Paragraph(words, HEADING)


def _label(words: str) -> Paragraph:
    # In the style of its neighbour, else the two would not stand on one line.
    return Paragraph(f'<font size="8" color="#66707C">{words}</font>', BODY)


def _paragraph(words: str) -> Paragraph:
    return Paragraph(escape(shown(words)), BODY)


def _date(value: str | None) -> str:
    value = str(value or "")
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 else value
