"""The picture of a result: numbers, views with outlines, provenance and warnings.

The patient's name, number and birth date are not among them: burned into pixels they survive
every de-identification of the header, and the viewer shows them beside the image anyway.
"""

from PIL import Image

from hilum.objects.report import Report
from hilum.objects.report.films import Outcome, Tone
from hilum.objects.report.planes import View, Views
from hilum.objects.sheet import panels
from hilum.objects.sheet.sheet import (
    ALARM,
    CALM,
    EDGE,
    FAINT,
    GAP,
    INNER,
    TEXT,
    WARNING,
    Sheet,
    banner,
    facts,
    footer,
    header,
    notes,
    wrap,
)
from hilum.objects.sheet.typeface import BOLD, REGULAR, pixels, shown

COLUMNS = (740, INNER - 740 - GAP)  # of numbers
BLACK = (0, 0, 0)


def draw(report: Report) -> Image.Image:
    """RGB, 1280 pixels wide, as high as its content."""
    sheet = Sheet.blank()
    images = " + ".join(text for name, text in report.facts if name == "Images")
    header(sheet, report.title, images)
    if report.confidence:
        _confidence(sheet, report.confidence)
    if report.incomplete:
        banner(sheet, report.incomplete, WARNING)
    has_facts = _numbers(sheet, report)
    _changes(sheet, report)
    notes(sheet, report.remarks)
    sheet.y += GAP // 2 if report.remarks else 0
    if not report.refusal and report.views:
        _views(sheet, report.views)
    if not has_facts:
        sheet.y = facts(sheet, report.provenance, EDGE, sheet.y) + GAP // 2
    footer(sheet)
    return sheet.finished()


def _confidence(sheet: Sheet, confidence: Outcome) -> None:
    """A warning is a box, that there is none a line."""
    if confidence.tone is not Tone.RESULT:
        colour = ALARM if confidence.tone is Tone.REFUSED else WARNING
        banner(sheet, confidence.detail, colour, confidence.words, 26)
        return
    sheet.pen.ellipse((EDGE, sheet.y + 3, EDGE + 14, sheet.y + 17), fill=CALM)
    sheet.text((EDGE + 26, sheet.y + 17), confidence.words, 20, TEXT)
    sheet.y += 24 + GAP


def _numbers(sheet: Sheet, report: Report) -> bool:
    """The grid and, beside it, what it has no place for.

    If one of the two is empty, the facts stand there; returns whether they do.
    """
    boxes = []
    if report.grid:
        boxes.append(panels.panel(COLUMNS[0]))
        panels.grid(boxes[0], report.grid)
    if report.rows:
        boxes.append(panels.panel(COLUMNS[len(boxes)]))
        panels.rows(boxes[-1], report.rows)
    if not boxes:
        return False
    panels.small(boxes[0], report.legend)
    top = sheet.y
    panels.place(sheet, boxes, GAP, EDGE)
    if len(boxes) == 2:
        return False
    sheet.y = max(sheet.y, facts(sheet, report.provenance, EDGE + COLUMNS[0] + 2 * GAP, top) + GAP)
    return True


def _changes(sheet: Sheet, report: Report) -> None:
    """What has changed and, beside it, the plot."""
    if not report.changes:
        return
    boxes = [panels.panel(COLUMNS[0] if report.course else INNER)]
    panels.changes(boxes[0], report.changes)
    if report.course:
        boxes.append(panels.panel(COLUMNS[1]))
        panels.course(boxes[1], report.course, max(boxes[0].y - 20, 200))
    panels.place(sheet, boxes, GAP, EDGE)


def _views(sheet: Sheet, views: Views) -> None:
    for gap, images in (
        (GAP, [captioned(view) for view in views.planes]),
        *((8, [numbered(view) for view in row]) for row in views.rows),
    ):
        for column, image in enumerate(images):
            sheet.image.paste(image, (EDGE + column * (image.width + gap), sheet.y))
        sheet.y += images[0].height + gap
    for line in wrap(views.caption, pixels(REGULAR, 15), INNER):
        sheet.text((EDGE, sheet.y + 15), line, 15, FAINT)
        sheet.y += 20
    sheet.y += GAP - 5


def captioned(view: View) -> Image.Image:
    """The image of `view` with its name, place, orientation letters and scale."""
    image = view.image.copy()
    sheet, inset, (width, height) = Sheet(image), 10, image.size
    sheet.text((inset, 25), view.name, 17, font=BOLD, halo=2)
    sheet.text((inset, height - inset), view.place.words, 15, halo=2)
    on_left, on_right, above, below = view.letters
    sheet.text((inset, height / 2), on_left, 18, WARNING, BOLD, "lm", 2)
    sheet.text((width - inset, height / 2), on_right, 18, WARNING, BOLD, "rm", 2)
    sheet.text((width / 2, inset), above, 18, WARNING, BOLD, "mt", 2)
    sheet.text((width / 2, height - inset), below, 18, WARNING, BOLD, "ms", 2)
    end, length = width - inset, round(view.scale_bar * view.scale)
    for thickness, colour in ((5, BLACK), (3, TEXT)):
        sheet.pen.line((end - length, height - inset, end, height - inset), colour, thickness)
    words = f"{view.scale_bar} mm"
    sheet.text((end - length / 2, height - inset - 8), words, 15, anchor="ms", halo=2)
    return image


def numbered(view: View) -> Image.Image:
    """The image of `view` with its place, on a dark ground: on paper it is a few mm wide."""
    image = view.image.copy()
    sheet, corner, font = Sheet(image), (image.width - 6, image.height - 7), pixels(BOLD, 15)
    left, top, right, bottom = sheet.pen.textbbox(corner, shown(view.place.mark), font, "rs")
    sheet.pen.rectangle((left - 4, top - 4, right + 4, bottom + 4), BLACK)
    sheet.text(corner, view.place.mark, 15, font=BOLD, anchor="rs")
    return image
