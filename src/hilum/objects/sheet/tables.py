"""The numbers of the printed report: the grid, rows, and changes with their plot."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus.flowables import Flowable
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table, TableStyle

from hilum.objects.report.course import ChangeRow, Course, Dot, Mark, Step, Stroke, Words
from hilum.objects.report.rows import Colour, Grid, Row
from hilum.objects.sheet.flowables import BODY, FAINT, LINE, SMALL, paragraph, table
from hilum.objects.sheet.typeface import BOLD, REGULAR, shown

FAINT_TEXT = 'color="#66707C"'
RIGHT = ParagraphStyle("right", BODY, alignment=2)
SMALL_RIGHT = ParagraphStyle("small right", SMALL, alignment=2)
SWATCH = 6 * mm  # width of its column
COLUMNS = (0.25, 0.15, 0.18, 0.19, 0.23)  # of what has changed
VALUE, REST = 11.5, 8.0  # size of a value and of what follows it
PLOT_SIZE = 7.5

Rule = tuple[object, ...]


def grid(given: Grid, width: float) -> Table:
    """Structures and their parts down, sides across; what is no part is large."""
    names = width * 0.28
    column = (width - names) / len(given.columns)
    heads: list[object] = [
        Paragraph(f'<font name="{BOLD}" {FAINT_TEXT}>{n}</font>', BODY) for n in given.columns
    ]
    rows: list[list[object]] = [["", *heads]] if any(given.columns) else []
    style: list[Rule] = [("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE)]
    for line in given.lines:
        if rows and not line.is_part:
            style.append(("LINEABOVE", (0, len(rows)), (-1, len(rows)), 0.5, LINE))
        words = escape(shown(line.name))
        name = Paragraph(
            words if line.is_part else f'<font name="{BOLD}" size="11">{words}</font>', BODY
        )
        if line.is_part:
            style.append(("LEFTPADDING", (0, len(rows)), (0, len(rows)), 4 * mm))
        size = 10 if line.is_part else 16
        rows.append([name, *(_cell(cell, size) if cell else "" for cell in line.cells)])
    style.append(("LINEBELOW", (0, -1), (-1, -1), 0.5, LINE))
    return _table(rows, [names, *[column] * len(given.columns)], style)


def rows(given: Sequence[Row], width: float) -> Table:
    """A line for each, its value at the right edge, its remark below."""
    lines: list[list[object]] = []
    for row in given:
        value = _marked(row.value, row.rest, VALUE)
        if row.remark:
            value += f'<br/><font size="{REST}" {FAINT_TEXT}>{row.remark}</font>'
        lines.append([_swatch(row.colour), paragraph(row.label), Paragraph(value, RIGHT)])
    swatch = SWATCH if any(row.colour for row in given) else 0.0
    values = max(
        stringWidth(row.value, BOLD, VALUE) + stringWidth(f"  {row.rest}", REGULAR, REST)
        for row in given
    )
    values = min(values + 8, 0.7 * width)
    style: list[Rule] = [
        ("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    return _table(lines, [swatch, width - swatch - values, values], style)


def changes(given: Sequence[ChangeRow], width: float) -> Table:
    """A line for each exam that a measurement is compared with."""
    lines: list[list[object]] = []
    style: list[Rule] = [
        ("LINEABOVE", (0, 0), (-1, 0), 0.5, LINE),
        ("VALIGN", (0, 0), (1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (0, -1), 4.5),  # the swatch stands on the line of the label
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    for row in given:
        for column in (0, 1):
            last = len(lines) + len(row.steps) - 1
            style.append(("SPAN", (column, len(lines)), (column, last)))
            style.append(("NOSPLIT", (column, len(lines)), (column, last)))
        name = [_swatch(row.colour), paragraph(row.label)]
        lines += [[*(("", "") if n else name), *_step(step)] for n, step in enumerate(row.steps)]
        style.append(("LINEBELOW", (0, len(lines) - 1), (-1, len(lines) - 1), 0.5, LINE))
    room = width - SWATCH
    return _table(lines, [SWATCH, *(share * room for share in COLUMNS)], style, 2)


def _step(step: Step) -> list[Paragraph]:
    since, _, _, per_year, verdict = step.cells
    colour, font = ("#1B222B", BOLD) if step.is_telling else ("#66707C", REGULAR)
    return [
        Paragraph(since, SMALL),
        Paragraph(_marked(step.value, step.rest, 9.5), RIGHT),
        Paragraph(per_year, SMALL_RIGHT),
        Paragraph(f'<font name="{font}" color="{colour}">{verdict}</font>', SMALL_RIGHT),
    ]


class Plot(Flowable):
    """Volumes against dates."""

    def __init__(self, course: Course, width: float, height: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.course, self.size = course, (width, height)

    def wrap(self, *available: float) -> tuple[float, float]:
        return self.size

    def draw(self) -> None:
        for mark in self.course.marks(*self.size, PLOT_SIZE):
            self._draw(mark)

    def _draw(self, mark: Mark) -> None:
        canvas = self.canv
        match mark:
            case Stroke():
                canvas.setStrokeColor(LINE)
                canvas.setLineWidth(0.5)
                if mark.colour:
                    canvas.setStrokeColorRGB(*_rgb(mark.colour))
                    canvas.setLineWidth(1.1)
                path = canvas.beginPath()
                path.moveTo(*self._up(mark.points[0]))
                for point in mark.points[1:]:
                    path.lineTo(*self._up(point))
                canvas.drawPath(path)
            case Dot():
                canvas.setFillColorRGB(*_rgb(mark.colour))
                canvas.circle(*self._up(mark.at), 2.3, 0, 1)
            case Words():
                canvas.setFont(REGULAR, PLOT_SIZE)
                canvas.setFillColor(FAINT)
                x, y = self._up(mark.at)
                write = (canvas.drawString, canvas.drawCentredString, canvas.drawRightString)
                write[mark.align + 1](x, y, shown(mark.text))

    def _up(self, point: tuple[float, float]) -> tuple[float, float]:
        """Pages are measured from below."""
        return point[0], self.size[1] - point[1]


class Swatch(Flowable):
    """A small square in the colour of a segment."""

    def __init__(self, colour: Colour) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.colour = colour
        self.width = self.height = 8

    def draw(self) -> None:
        self.canv.setFillColorRGB(*_rgb(self.colour))
        self.canv.roundRect(0, 0, self.width, self.height, 1.5, 0, 1)


def _cell(row: Row, size: float) -> Table:
    style = ParagraphStyle("cell", BODY, leading=size * 1.3)
    words = Paragraph(_marked(row.value, row.rest, size), style)
    return _table([[_swatch(row.colour), words]], [5 * mm, None], [], 0)


def _swatch(colour: Colour | None) -> "Swatch | str":
    return Swatch(colour) if colour else ""


def _marked(value: str, rest: str, size: float) -> str:
    """The value in bold, what follows it small."""
    small = f'<font size="{REST}" {FAINT_TEXT}>{escape(rest)}</font>'
    return f'<font name="{BOLD}" size="{size}">{escape(value)}</font> {small}'


def _table(
    lines: Sequence[Sequence[object]],
    widths: Sequence[float | None],
    style: Sequence[Rule],
    padding: float = 3,
) -> Table:
    made = table(lines, widths)
    rules: list[Rule] = [
        ("TOPPADDING", (0, 0), (-1, -1), padding),
        ("BOTTOMPADDING", (0, 0), (-1, -1), padding + 1),
    ]
    made.setStyle(TableStyle([*rules, *style]))
    return made


def _rgb(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = (value / 255 for value in colour)
    return red, green, blue
