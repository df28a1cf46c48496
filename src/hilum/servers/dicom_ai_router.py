"""The format "dicom-ai-router": a model that gets DICOM files and answers what it found as JSON.

One POST of `multipart/form-data` with a part `files` for each image (seth2177/dicom-ai-router:
airouter/ai_client.py). The UIDs in the answer are those of what was sent.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field

from hilum.checks import LONGEST_TEXT
from hilum.deidentification import Aliases, deidentified
from hilum.dicom.instance import Instance
from hilum.dicom.pixels import StoredFrames
from hilum.errors import ServerError
from hilum.findings import Box, Drawing, Finding, KeyImage, Note, Table
from hilum.module.cards import CardInput, CodedTable, CommonCard
from hilum.module.result_numbers import ResultNumber, numbers_of
from hilum.servers import Ask, ServerRequest
from hilum.servers.at_server import AtServer, Given, images_of, parsed
from hilum.wording import printable

IMAGE_REGION = CodedTable(value="111030", scheme="DCM", meaning="Image Region")
COLUMNS = ("what", "the model says")
OTHER_FORM = "the answer does not have the form of dicom-ai-router"
LINE_WIDTH, BRIGHTEST, LEAST_WIDTH = 2, 255, 1e-6
Text = Annotated[str, Field(max_length=1000)]


class RouterCard(CommonCard):
    """The whole card: where the model is asked, what its circles are around, and its numbers.

    With a `model_version` no other version may answer.
    """

    module: Literal["dicom-ai-router"]
    input: CardInput
    endpoint: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$")
    model_version: str = ""
    circles: CodedTable = IMAGE_REGION
    measurement: tuple[ResultNumber, ...] = ()


class Circle(BaseModel):
    """A circle around something on the key image, in pixels of it."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    cx: float
    cy: float
    r: float = Field(gt=0)
    label: Text = ""


class RouterAnswer(BaseModel):
    """What the model answers; `display_window` is level and width."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    model: Text
    model_version: Text
    study_instance_uid: Text
    result: Text
    summary_lines: Annotated[list[tuple[Text, Text]], Field(max_length=150)] = []
    key_sop_instance_uid: Text | None = None
    overlays: Annotated[list[Circle], Field(max_length=100)] = []
    display_window: tuple[float, float] | None = None


class RouterModel(AtServer):
    """Sends the images without their patient's name, and finds in its own what the model says."""

    sends = "de-identified DICOM files with pseudonyms"
    card_class = RouterCard
    described: ClassVar[RouterCard]

    @classmethod
    def asked_without_images(cls, ask: Ask) -> str:
        ask(ServerRequest(cls.described.endpoint, exists=True))
        return "it answers, and has the endpoint; only an image would show what the model says"

    def found(self, given: Given, ask: Ask, aliases: Aliases) -> Iterator[Finding]:
        images = images_of(given)
        media_type, content = multipart([deidentified(image, aliases) for image in images])
        reply = ask(ServerRequest(self.described.endpoint, content, media_type))
        answer = parsed(reply.content, RouterAnswer, OTHER_FORM)
        if aliases.original(answer.study_instance_uid) != images[0].study_uid:
            raise ServerError("the answer is about another study than the one that was sent")
        if self.described.model_version not in ("", answer.model_version):
            wanted = self.described.model_version
            found = _line(answer.model_version)
            raise ServerError(f"version {found!r} of the model answers, not {wanted!r}")
        yield from self._said(answer)
        yield from self._shown(answer, images, aliases)
        yield from numbers_of(answer.model_dump(mode="json"), self.described.measurement)
        yield Note(
            f"Computed by {_line(answer.model)} {_line(answer.model_version)}, as its server says."
        )
        yield Note(self.described.basis)
        yield from (Note(warning) for warning in self.described.warnings)

    def _said(self, answer: RouterAnswer) -> Iterator[Finding]:
        """The verdict and the lines: in a table where they fit, else as notes."""
        lines = [("Result", answer.result), *answer.summary_lines]
        rows = [(_line(label), _line(text)) for label, text in lines]
        fitting = [row for row in rows if max(map(len, row)) <= LONGEST_TEXT and row[0]]
        if fitting:
            yield Table(self.title, COLUMNS, tuple(fitting))
        yield from (Note(": ".join(filter(None, row))) for row in rows if row not in fitting)

    def _shown(
        self, answer: RouterAnswer, images: Sequence[Instance], aliases: Aliases
    ) -> Iterator[Finding]:
        """The key image, the circles on it, and a picture of both in the model's window."""
        if not answer.key_sop_instance_uid:
            return
        uid = aliases.original(answer.key_sop_instance_uid)
        key = next((image for image in images if image.sop_instance_uid == uid), None)
        if key is None:
            raise ServerError("the key image of the answer is not one of the images")
        yield KeyImage(uid, f"Key image of {self.title}"[:LONGEST_TEXT])
        rows, columns = key.size or (0, 0)
        for number, circle in enumerate(answer.overlays, start=1):
            if not (0 <= circle.cx < columns and 0 <= circle.cy < rows):
                raise ServerError("a circle of the answer lies outside of its key image")
            label = _line(circle.label)[:LONGEST_TEXT] or f"Finding {number}"
            yield Box(_corners(circle, rows, columns), self.described.circles.code, label, uid)
        if answer.display_window:
            pixels = _picture(key, answer.display_window, answer.overlays)
            yield Drawing(pixels, f"{self.title}, as the model shows it"[:LONGEST_TEXT], uid)


def multipart(files: Sequence[bytes]) -> tuple[str, bytes]:
    """The media type, and the body, of a form that holds `files` (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = []
    for number, content in enumerate(files):
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; '
            f'filename="{number:04}.dcm"\r\nContent-Type: application/dicom\r\n\r\n'
        )
        parts += [head.encode(), content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def _line(text: str) -> str:
    """A text on one line, as labels may be."""
    return " ".join(printable(text).replace("\\", "/").split())


def _corners(circle: Circle, rows: int, columns: int) -> tuple[tuple[float, float], ...]:
    """The box around a circle, as far as it lies on the image; (column, row)."""
    places = []
    for sign in (-1, 1):
        column = min(max(circle.cx + sign * circle.r, 0.0), columns - 1.0)
        row = min(max(circle.cy + sign * circle.r, 0.0), rows - 1.0)
        places.append((column, row))
    return tuple(places)


def _picture(key: Instance, window: tuple[float, float], circles: Sequence[Circle]) -> np.ndarray:
    """The key image in the window with its circles, uint8 (rows, columns, 3)."""
    level, width = window
    with StoredFrames(key.path) as stored:
        values = stored.frame()
    shade = (key.frames[0].rescale(values) - level) / max(abs(width), LEAST_WIDTH) + 0.5
    grey = np.clip(BRIGHTEST * shade, 0, BRIGHTEST).astype(np.uint8)
    picture = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for circle in circles:
        draw.circle((circle.cx, circle.cy), circle.r, outline=(255, 200, 0), width=LINE_WIDTH)
    return np.asarray(picture)
