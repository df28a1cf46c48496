"""What a module in an environment is told of its inputs, and what it may ask of them as it runs.

Pixels and headers are read here, in the process that decodes, when the module asks for them.
`hilum_module.asking` is the other side.
"""

import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import numpy as np
from highdicom import Volume
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag, Tag

from hilum.dicom.film import Film
from hilum.dicom.frames import Frame
from hilum.dicom.header import HOSTILE
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.errors import ModuleError
from hilum.findings import Findings
from hilum.hosts.shelf import Letter
from hilum.module import exam_name

GivenInput = Series | tuple[Film, ...] | Findings | None
DEEPEST = 8  # sequences in sequences


class Member(Enum):
    """What a module asks for of an input."""

    HEADER = "header"  # of a series, or of a film
    IMAGE_HEADER = "image_header"
    FILE = "file"
    VOLUME = "volume"
    REAL_WORLD_VOLUME = "real_world_volume"
    SUV_FACTOR = "suv_factor"
    VALUES = "values"
    PICTURE = "picture"


class Inquiry(BaseModel):
    """What a module asks for. `number` is that of the film, or of the image, among all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    input: str
    member: Member
    number: int = Field(0, ge=0)
    unit: tuple[str, str, str] = ("", "", "")


class GivenInputs:
    """The inputs of one run."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        """What `run` gets for each input. One that is None is not there."""
        self._inputs: dict[str, GivenInput] = {}
        for name, given in inputs.items():
            if isinstance(given, tuple) and not all(isinstance(one, Film) for one in given):
                self._inputs |= {exam_name(name, number): exam for number, exam in enumerate(given)}
            else:
                self._inputs[name] = given

    def letter(self, order: Mapping[str, JsonValue]) -> Letter:
        """What the module is told before it asks: its `order`; of findings, all that was found."""
        items: list[dict[str, Any]] = [dict(order)]
        arrays: dict[str, np.ndarray] = {}
        for name, given in self._inputs.items():
            match given:
                case None:
                    continue
                case Series():
                    items.append({"input": name, "series": _about_series(given)})
                case Findings():
                    found, held = exchange.as_items(given)
                    items.append({"input": name, "findings": found})
                    arrays |= {f"{name}.{key}": array for key, array in held.items()}
                case films:
                    items.append({"input": name, "films": [_about_film(film) for film in films]})
        return Letter(items, arrays)

    def answer(self, inquiry: Inquiry) -> Letter:
        """What the module asks for.

        Raises
        ------
        DicomError
            The images do not have it.
        ModuleError
            There is no such input, or it is of another kind.
        """
        given = self._inputs.get(inquiry.input)
        member, number = inquiry.member, inquiry.number
        if isinstance(given, Series) and member in OF_SERIES and number < len(given.instances):
            return OF_SERIES[member](given, inquiry)
        if isinstance(given, tuple) and member in OF_FILM and number < len(given):
            return OF_FILM[member](given[number], inquiry)
        raise ModuleError("the module's process asks for what it was not given")


def _about_series(series: Series) -> dict[str, Any]:
    stack = series.stack
    places = {instance.sop_instance_uid: n for n, instance in enumerate(series.instances)}
    return {
        "modality": series.modality,
        "description": series.description,
        "uid": str(series.uid),
        "label": series.label,
        "shape": series.shape if series.frames else (),
        "cautions": series.cautions,
        "instances": [_about_image(instance) for instance in series.instances],
        "frames": [_about_frame(frame, places) for frame in series.frames],
        "stack": {
            "order": stack.order,
            "spacing": stack.spacing,
            "error": stack.error,
            "problem": stack.problem,
        },
    }


def _about_image(image: Instance) -> dict[str, Any]:
    return {
        "sop_instance_uid": str(image.sop_instance_uid),
        "sop_class_uid": str(image.sop_class_uid),
        "number": image.number,
    }


def _about_frame(frame: Frame, places: Mapping[str, int]) -> dict[str, Any]:
    return {
        "instance": places[frame.instance.sop_instance_uid],
        "number": frame.number,
        "position": frame.position,
        "orientation": frame.orientation,
        "pixel_spacing": frame.pixel_spacing,
        "echo_time": frame.echo_time,
        "b_value": frame.b_value,
        "time": frame.time,
    }


def _about_film(film: Film) -> dict[str, Any]:
    about = {"acquired": film.acquired, "age": film.age, "problem": film.problem}
    return {"uid": str(film.uid), **about}


def _header(header: Dataset) -> Letter:
    return Letter([{"header": as_values(header)}])


def _volume(volume: Volume) -> Letter:
    frame = volume.frame_of_reference_uid
    arrays = {"array": volume.array, "affine": volume.affine}
    return Letter([{"frame_of_reference_uid": frame and str(frame)}], arrays)


def _file(image: Instance) -> Letter:
    with image.path.open("rb") as file:
        return Letter([{}], {"array": np.frombuffer(file.read(), np.uint8)})


def _picture(film: Film) -> Letter:
    return Letter([{}], {} if film.picture is None else {"array": film.picture})


OF_SERIES: Mapping[Member, Callable[[Series, Inquiry], Letter]] = {
    Member.HEADER: lambda series, _: _header(series.header),
    Member.IMAGE_HEADER: lambda series, inquiry: _header(series.instances[inquiry.number].header),
    Member.FILE: lambda series, inquiry: _file(series.instances[inquiry.number]),
    Member.VOLUME: lambda series, _: _volume(series.volume()),
    Member.REAL_WORLD_VOLUME: lambda s, inquiry: _volume(s.real_world_volume(Code(*inquiry.unit))),
    Member.SUV_FACTOR: lambda series, _: Letter([{"suv_factor": series.suv_factor}]),
}
OF_FILM: Mapping[Member, Callable[[Film, Inquiry], Letter]] = {
    Member.HEADER: lambda film, _: _header(film.header),
    Member.VALUES: lambda film, _: Letter([{}], {"array": film.values()}),
    Member.PICTURE: lambda film, _: _picture(film),
}


def as_values(header: Dataset, depth: int = 0) -> dict[str, Any]:
    """The attributes of `header` by keyword, as JSON holds them, and its private blocks.

    A sequence is a list of such objects, an empty value None, and bytes are an object "base64". The
    key of a private block is its group and creator, and it holds its elements (PS3.5 7.8.1).
    """
    found: dict[str, Any] = {}
    for tag in sorted(header.keys()):
        keyword = keyword_for_tag(tag)
        try:
            if tag.is_private:
                _put_private(header, tag, found, depth)
            elif keyword and keyword in header:
                found[keyword] = _as_value(header[tag].value, depth)
        except HOSTILE:
            continue  # a broken element counts as not there
    return found


def _put_private(header: Dataset, tag: BaseTag, found: dict[str, Any], depth: int) -> None:
    """Put a private element into its block; its creator, which comes before it, begins one."""
    creator = tag if tag.is_private_creator else Tag(tag.group, tag.element >> 8)
    block = found.setdefault(f"{tag.group:04x} {header[creator].value}", {})
    if tag != creator:
        block.setdefault(f"{tag.element & 0xFF:02x}", _as_value(header[tag].value, depth))


def _as_value(value: Any, depth: int) -> Any:
    match value:
        case Items():
            return [as_values(each, depth + 1) for each in value] if depth < DEEPEST else []
        case MultiValue() | list() | tuple():
            return [_as_value(each, depth) for each in value]
        case bool() | None:
            return value
        case bytes():
            return {"base64": b64encode(value).decode()} if value else None
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case _:
            return str(value) or None
