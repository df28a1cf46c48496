"""What the pages of the PDF are put together from: styles, tables, boxes and pictures."""

from collections.abc import Sequence
from io import BytesIO
from xml.sax.saxutils import escape

from PIL import Image
from pydicom.dataset import Dataset
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus.flowables import Flowable
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table, TableStyle

from hilum.objects.sheet.typeface import (
    BOLD,
    MOST_IN_CELL,
    MOST_SHOWN,
    REGULAR,
    name_to_show,
    shown,
)

INK, FAINT, LINE = HexColor(0x1B222B), HexColor(0x66707C), HexColor(0xD5DAE0)
AMBER, AMBER_INK, AMBER_PALE = HexColor(0xFFB830), HexColor(0x8A5A00), HexColor(0xFFF3D9)
RED, RED_PALE = HexColor(0xC8372D), HexColor(0xFDE8E6)
MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
NAMES = 27 * mm  # width of a column of names

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=9.5, leading=13.5, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=8, leading=13.5, textColor=FAINT)
HEADING = ParagraphStyle("heading", BODY, fontName=BOLD, fontSize=10.5, leading=14, spaceAfter=3)
NUMBER = ParagraphStyle("number", BODY, fontName=BOLD, fontSize=11, alignment=2)
WARNED = ParagraphStyle("warned", BODY, fontSize=10.5, leading=15)


def identity(header: Dataset) -> Table:
    """Whose study it is."""
    patient = name_to_show(header.get("PatientName")) or "see the image header"
    sex = {"M": "male", "F": "female", "O": "other"}.get(header.get("PatientSex") or "", "")
    pairs = (
        ("Patient", patient),
        ("Patient ID", header.get("PatientID")),
        ("Born", _date(header.get("PatientBirthDate"))),
        ("Sex", sex),
        ("Study", header.get("StudyDescription")),
        ("Study date", _date(header.get("StudyDate"))),
        ("Accession number", header.get("AccessionNumber")),
    )
    cells = [[label(name), paragraph(str(value), MOST_IN_CELL)] for name, value in pairs if value]
    half = (len(cells) + 1) // 2
    left, right = cells[:half], cells[half:] + [["", ""]] * (2 * half - len(cells))
    rows = [[*a, *b] for a, b in zip(left, right, strict=True)]
    widths = [NAMES, WIDTH / 2 - NAMES]
    return table(rows, [*widths, *widths])


def warning(
    headline: str | None, words: str, strong: Color, pale: Color, size: float = 10.5
) -> Table:
    """A box across the page; the `headline` is `size` points high."""
    lines = [Paragraph(escape(shown(words)), WARNED)] if words else []
    if headline:
        style = ParagraphStyle(
            "headline", HEADING, textColor=strong, fontSize=size, leading=size * 1.35
        )
        lines.insert(0, Paragraph(escape(shown(headline, MOST_IN_CELL)), style))
    made = Table([[lines]], colWidths=[WIDTH])
    made.setStyle(
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
    return made


def beside(images: list[Image.Image], gap: float) -> Table:
    """Images side by side across the page, `gap` points apart."""
    width = (WIDTH + gap) / len(images)
    made = table([[Picture(image, width - gap) for image in images]], [width] * len(images))
    made.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return made


class Picture(Flowable):
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


def facts(pairs: Sequence[tuple[str, str]]) -> Table:
    """Names and words in two columns."""
    rows = [[label(name), paragraph(words)] for name, words in pairs]
    made = table(rows, [NAMES, WIDTH - NAMES])
    made.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return made


def table(rows: Sequence[Sequence[object]], widths: Sequence[float | None]) -> Table:
    """Cells without lines, as wide as `widths` (points)."""
    made = Table(rows, colWidths=widths, hAlign="LEFT")
    made.setStyle(
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
    return made


def heading(words: str) -> Paragraph:
    return Paragraph(words, HEADING)


def label(words: str) -> Paragraph:
    """A small faint name of what stands beside it."""
    # In the style of its neighbour, else the two would not stand on one line.
    return Paragraph(f'<font size="8" color="#66707C">{words}</font>', BODY)


def paragraph(words: str, most: int = MOST_SHOWN) -> Paragraph:
    return Paragraph(escape(shown(words, most)), BODY)


def _date(value: str | None) -> str:
    value = str(value or "")
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 else value
