"""The picture of a result: views with outlines, numbers, provenance and warnings.

The patient's name, number and birth date are not among them: burned into pixels they survive
every de-identification of the header, and the viewer shows them beside the image anyway.
"""

from PIL import Image

from hilum.objects.planes import PLANE_SIDE, STRIP_SIDE, View, Views
from hilum.objects.report import Report
from hilum.objects.sheet import (
    ALARM,
    EDGE,
    FAINT,
    GAP,
    LINE,
    PANEL,
    WARNING,
    Sheet,
    banner,
    facts,
    fit,
    footer,
    header,
    notes,
)
from hilum.objects.typeface import BOLD, REGULAR, pixels


def draw(report: Report) -> Image.Image:
    """RGB, 1280 pixels wide, as high as its content."""
    sheet = Sheet.blank()
    images = " + ".join(text for name, text in report.facts if name == "Images")
    header(sheet, report.title, images)
    if report.refusal:
        banner(sheet, report.refusal, ALARM, "NO RESULT")
    if report.incomplete:
        banner(sheet, report.incomplete, WARNING)
    if not report.refusal and report.views:
        _views(sheet, report.views)
    _columns(sheet, report)
    notes(sheet, report.notes)
    footer(sheet)
    return sheet.finished()


def _views(sheet: Sheet, views: Views) -> None:
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
    sheet, middle, inset = Sheet(image), side / 2, 10
    sheet.text((inset, 25), view.name, 17, font=BOLD, halo=2)
    number = f"{view.slice_number} / {view.slices}"
    sheet.text((inset, side - inset), number, 15, halo=2)
    on_left, on_right, above, below = view.letters
    sheet.text((inset, middle), on_left, 18, WARNING, BOLD, "lm", 2)
    sheet.text((side - inset, middle), on_right, 18, WARNING, BOLD, "rm", 2)
    sheet.text((middle, inset), above, 18, WARNING, BOLD, "mt", 2)
    sheet.text((middle, side - inset), below, 18, WARNING, BOLD, "ms", 2)
    return image


def _columns(sheet: Sheet, report: Report) -> None:
    """Results on the left, where they come from on the right."""
    top, middle = sheet.y, EDGE + 560
    if not report.rows:
        sheet.y = facts(sheet, report.facts, EDGE, top) + GAP
        return
    left_end = _results(sheet, report, EDGE, top, middle - GAP - 8)
    right_end = facts(sheet, report.facts, middle + 8, top)
    sheet.y = max(left_end, right_end) + GAP


def _results(sheet: Sheet, report: Report, left: int, top: int, right: int) -> int:
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
        label = fit(row.label, pixels(REGULAR, 21), right - left - 290)
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
