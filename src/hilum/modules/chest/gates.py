"""Is this an adult's frontal chest film, upright, of the right polarity and whole?

First what the header says, then what the pixels show. Each refusal has its reason code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from hilum.dicom.film import Film
from hilum.dicom.header import HOSTILE
from hilum.modules.chest.preprocess import squared
from hilum.modules.onnx import session_of

CALIBRATION_KEY = "calibration"  # in the metadata of the ONNX file
ADULT = 18  # years
LEAST_SIDE = 128  # pixels
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame kinds below it
LATERAL_VIEWS = {"LL", "RL", "LATERAL", "LAT"}  # ViewPosition, PS3.3 C.8.11.5 and C.8.1.2
OTHER_VIEWS = {"LLD", "RLD", "LLO", "RLO", "RAO", "LAO", "RPO", "LPO", "LLDECUB", "RLDECUB"}
OTHER_PARTS = (  # BodyPartExamined, PS3.16 annex L; free text that says none of these may pass
    *("ABDOMEN", "SKULL", "HEAD", "BRAIN", "NECK", "CSPINE", "LSPINE", "TSPINE", "SPINE", "PELVIS"),
    *("HIP", "KNEE", "LEG", "FEMUR", "ANKLE", "FOOT", "TOE", "ARM", "ELBOW", "WRIST", "HAND"),
    *("FINGER", "SHOULDER", "CLAVICLE", "HUMERUS", "JAW", "BREAST", "EXTREMITY", "WHOLEBODY"),
)

REASONS = {  # code: what a clinician reads
    "not-a-radiograph": "its modality is {value}, not a radiograph (CR, DX)",
    "secondary-capture": "it is a secondary capture, not the film itself",
    "colour": "it is in colour",
    "multi-frame": "it has {value} frames; one film is expected",
    "for-processing": "it is raw detector data (FOR PROCESSING), not a film for reading",
    "other-body-part": "its body part is {value}, not the chest",
    "lateral": "it is a lateral view; only frontal views are analysed",
    "other-view": "its view position is {value}; only frontal views are analysed",
    "child": "the patient was under 18 years old; the model knows only adults",
    "unreadable": "{value}",
    "too-small": "it has {value} pixels; at least 128 x 128 are needed",
    "no-lungs": "no lungs were found in it",
    "rotated": "it lies on its side (turned by 90 degrees)",
    "upside-down": "it stands on its head",
    "inverted": "bright and dark are exchanged (inverted polarity)",
    "cropped": "the lungs are not wholly on it",
    "other": "it does not look like a frontal chest film",
    "unfamiliar": "it is unlike every film that the model knows",
}
FILM_KINDS = ("frontal", "rotated", "upside-down", "inverted", "cropped", "lateral", "other")


@dataclass(frozen=True)
class Objection:
    """Why a film is refused: a code of `REASONS` and what was found."""

    code: str
    value: str = ""

    @property
    def text(self) -> str:
        """One sentence without its subject."""
        return REASONS[self.code].format(value=self.value)


@dataclass(frozen=True)
class GateBounds:
    """Bounds set on training films of persons kept aside; they lie in the ONNX file."""

    least_frontal: float
    largest_distance: float
    least_lungs: float

    @classmethod
    def read(cls, text: str) -> "GateBounds":
        """From the JSON that `write` made."""
        return cls(**json.loads(text))

    def write(self) -> str:
        """Write it as JSON with sorted keys."""
        return json.dumps(vars(self), sort_keys=True)


@dataclass(frozen=True)
class Look:
    """What the gate's network saw: the chance of every kind, the distance to known films (0-2), and
    the lungs' share of the film."""

    kinds: Mapping[str, float]
    distance: float
    lungs: float

    def objection(self, bounds: GateBounds) -> Objection | None:
        """The most telling reason to refuse, or None."""
        if self.kinds["frontal"] < bounds.least_frontal:
            others = {kind: chance for kind, chance in self.kinds.items() if kind != "frontal"}
            return Objection(max(others, key=others.__getitem__))
        if self.distance > bounds.largest_distance:
            return Objection("unfamiliar")
        if self.lungs < bounds.least_lungs:
            return Objection("no-lungs")
        return None


class PixelGate:
    """Judges the pixels by the embedding of the whole film and its nearest training films."""

    weights = Path(__file__).with_name("gate.onnx")
    side, lung_side = 192, 128

    def __init__(self, weights: Path | None = None, threads: int = 1) -> None:
        self._session = session_of(weights or self.weights, threads)
        described = self._session.get_modelmeta().custom_metadata_map
        self.calibration = (
            GateBounds.read(described[CALIBRATION_KEY]) if CALIBRATION_KEY in described else None
        )

    def __call__(self, image: np.ndarray, lungs: np.ndarray) -> Look:
        """A prepared film and its lungs' probabilities, both (rows, columns) 0-1."""
        feed = {
            "image": squared(image, self.side)[None, None],
            "lungs": squared(lungs, self.lung_side)[None, None],
        }
        kinds, distance = self._session.run(["kinds", "distance"], feed)
        return Look(
            kinds=dict(zip(FILM_KINDS, map(float, np.asarray(kinds)[0]), strict=True)),
            distance=float(np.asarray(distance).ravel()[0]),
            lungs=float((lungs > 0.5).mean()),
        )


def header_objection(film: Film) -> Objection | None:
    """Why the header alone rules the film out, or None."""
    for objection in (_object_objection(film.header), _view_objection(film.header)):
        if objection:
            return objection
    age = film.age
    return Objection("child") if age is not None and age < ADULT else None


def _object_objection(header: Dataset) -> Objection | None:
    """What kind of image it is."""
    sop_class = _text(header, "SOPClassUID")
    if sop_class == SECONDARY_CAPTURE or sop_class.startswith(f"{SECONDARY_CAPTURE}."):
        return Objection("secondary-capture")
    modality = _text(header, "Modality")
    if modality not in ("CR", "DX"):
        return Objection("not-a-radiograph", modality or "not given")
    if _text(header, "SamplesPerPixel") not in ("", "1"):
        return Objection("colour")
    frames = _text(header, "NumberOfFrames")
    if frames not in ("", "1"):
        return Objection("multi-frame", frames)
    if _text(header, "PresentationIntentType") == "FOR PROCESSING":
        return Objection("for-processing")
    return None


def _view_objection(header: Dataset) -> Objection | None:
    """What it shows, as far as the header says."""
    part = _text(header, "BodyPartExamined").upper().replace(" ", "")
    if part in OTHER_PARTS:
        return Objection("other-body-part", part)
    view = _text(header, "ViewPosition").upper()
    if view in LATERAL_VIEWS:
        return Objection("lateral")
    if view in OTHER_VIEWS:
        return Objection("other-view", view)
    if _text(header, "PatientOrientation")[:1] in ("A", "P"):
        return Objection("lateral")  # rows run from front to back or from back to front
    return None


def _text(header: Dataset, keyword: str) -> str:
    """A value as text, several joined by backslashes; nothing for an absent or broken one."""
    try:
        value = header.get(keyword)
        values = value if isinstance(value, MultiValue) else [value]
        return "\\".join("" if each is None else str(each).strip() for each in values)
    except HOSTILE:
        return ""
