"""Sheets set by Typst: as a PDF with the patient's name, as nameless pictures.

Typst is given constant sources and the sheets as JSON: no text of a header is ever source. Nothing
is written to disk. The same report gives the same bytes each time.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from io import BytesIO
from pathlib import Path

import typst
from PIL import Image
from pydicom.dataset import Dataset

from hilum.objects.report import NOT_FOR_DIAGNOSIS, Report
from hilum.objects.sheet import typeface
from hilum.objects.sheet.blocks import Cuts, Headline, Remarks, Sheet, Warned
from hilum.objects.sheet.identity import identity
from hilum.objects.sheet.story import sheets
from hilum.objects.sheet.theme import PAGE, SCREEN, Theme

LAYOUT = Path(__file__).parent / "layout"
LONG = (Remarks, Headline, Warned, Cuts)  # whose texts are paragraphs
FINE_PRINT = (
    "Made by a computer program without a medical device approval. "
    "Verify against the images; never base a decision on it."
)


def pdf(report: Report, header: Dataset) -> bytes:
    """The printed report, A4; `header` holds the patient and study attributes to print."""
    (document,) = _set(report.title, sheets(report, PAGE), PAGE, identity(header))
    return document


def pictures(report: Report) -> list[tuple[Image.Image, Sheet]]:
    """One of each sheet, RGB, 1280 pixels wide and as high as its content.

    The patient's name, number and birth date are not among them: burned into pixels they survive
    every de-identification of the header, and the viewer shows them beside the image anyway.
    """
    made = sheets(report, SCREEN)
    return list(zip(drawn(report.title, made), made, strict=True))


def drawn(title: str, made: Sequence[Sheet]) -> list[Image.Image]:
    """A picture of each of `made`, which must be in the theme of the screen."""
    files = map(BytesIO, _set(title, made, SCREEN))
    return [Image.open(file, formats=["PNG"]).convert("RGB") for file in files]


def _set(
    title: str, made: Sequence[Sheet], theme: Theme, whose: Sequence[tuple[str, str]] = ()
) -> list[bytes]:
    """A PNG of each sheet, or one PDF of all."""
    story = {
        "title": typeface.shown(title),
        "sign": NOT_FOR_DIAGNOSIS,
        "fine": FINE_PRINT,
        "fonts": typeface.FAMILIES,
        "whose": whose,
        "sheets": [
            {
                "place": sheet.place,
                "about": _plain(sheet.about, theme, typeface.MOST_SHOWN),
                "blocks": _plain(sheet.blocks, theme),
                "facts": _plain(sheet.facts, theme, typeface.MOST_SHOWN),
                "roomy": sheet.roomy,
            }
            for sheet in made
        ],
    }
    compiler = typst.Compiler(LAYOUT / "main.typ", root=LAYOUT, font_paths=_fonts())
    done = compiler.compile(
        format="pdf" if theme is PAGE else "png",
        ppi=72,  # a point of the picture is a pixel
        sys_inputs={"theme": theme.name, "story": json.dumps(story)},
    )
    assert done is not None, "it goes to no file"
    return done if isinstance(done, list) else [done]


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(folder) for folder in typeface.folders()],
    )


def _plain(value: object, theme: Theme, most: int = typeface.MOST_IN_CELL) -> object:
    """`value` as JSON can hold it: each block with its kind, each text as it can be shown."""
    match value:
        case Enum():
            return value.value
        case str():
            return typeface.shown(value, most)
        case tuple():
            return [_plain(each, theme, most) for each in value]
        case Image.Image():
            return _image(value, theme)
        case _:
            return _block(value, theme, most) if is_dataclass(value) else value


def _block(block: object, theme: Theme, most: int) -> dict[str, object]:
    """A dataclass with the name of its class as its kind."""
    assert is_dataclass(block)
    most = typeface.MOST_SHOWN if isinstance(block, LONG) else most
    named = {f.name: _plain(getattr(block, f.name), theme, most) for f in fields(block)}
    return {"kind": type(block).__name__, **named}


def _image(image: Image.Image, theme: Theme) -> dict[str, object]:
    """Its size in pixels and its data; what is printed loses a little."""
    file = BytesIO()
    if theme is PAGE:
        image.save(file, "JPEG", quality=92, subsampling=0)
    else:
        image.save(file, "PNG", compress_level=1)
    data = b64encode(file.getvalue()).decode()
    kind = theme.image_format.lower()
    return {"size": list(image.size), "href": f"data:image/{kind};base64,{data}"}
