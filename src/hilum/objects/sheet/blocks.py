"""The blocks that a sheet is made of: words, numbers, colours and pictures.

How they look is said in `layout/`, once for the printed page and the picture.
"""

from dataclasses import dataclass

from PIL import Image

from hilum.checks import Colour
from hilum.dicom.instance import Instance
from hilum.objects.report.course import ChangeRow, Mark
from hilum.objects.report.films import Tone
from hilum.objects.report.rows import Row

Pair = tuple[str, str]


@dataclass(frozen=True)
class Headline:
    """The outcome in few words, and the sentence that explains it."""

    words: str
    detail: str
    tone: Tone
    is_large: bool


@dataclass(frozen=True)
class Calm:
    """A line that says that nothing is to be warned of."""

    words: str


@dataclass(frozen=True)
class Warned:
    """A sentence in a box."""

    words: str


@dataclass(frozen=True)
class Value:
    """A number and what follows it; `remark` stands below."""

    label: str
    value: str
    rest: str
    colour: Colour | None
    remark: str

    @classmethod
    def of(cls, row: Row) -> "Value":
        return cls(row.label, row.value, row.rest, row.colour, row.remark)


@dataclass(frozen=True)
class Line:
    """A structure or a part of one, with a value for each column."""

    name: str
    is_part: bool
    cells: tuple[Value | None, ...]


@dataclass(frozen=True)
class Numbers:
    """The grid of `columns`, and beside it the `rows` that it has no place for.

    Of the rows, `across` stand side by side.
    """

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    rows: tuple[Value, ...]
    legend: str
    more: str = ""
    across: int = 1


@dataclass(frozen=True)
class Listing:
    """A table of the module: texts in rows below the names of the columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""


@dataclass(frozen=True)
class Changes:
    """What has changed since earlier exams, and the plot of it: its marks and its height.

    The plot is measured in the size of its text.
    """

    rows: tuple[ChangeRow, ...]
    marks: tuple[Mark, ...]
    height: float
    limit: str
    more: str = ""


@dataclass(frozen=True)
class Plotted:
    """A plot of the module: its marks and its height, in the size of its text."""

    title: str
    marks: tuple[Mark, ...]
    height: float


@dataclass(frozen=True)
class Plane:
    """One cut through the images with what is written on it.

    `letters` stand left, right, top and bottom; `bar` is a length in pixels and its name.
    """

    image: Image.Image
    name: str
    place: str
    letters: tuple[str, ...]
    bar: tuple[float, str]


@dataclass(frozen=True)
class Cuts:
    """Large `planes` and rows of small ones."""

    planes: tuple[Plane, ...]
    rows: tuple[tuple[Plane, ...], ...]
    caption: str


@dataclass(frozen=True)
class Film:
    """A film as it is, and with its evidence if there is any; without images it cannot be shown.

    `colours` are those of the evidence, from little to much; `outline` that of the region.
    """

    images: tuple[Image.Image, ...]
    colours: tuple[Colour, ...]
    outline: Colour | None


@dataclass(frozen=True)
class Bar:
    """A score, 0-1, in words and as a bar."""

    label: str
    share: float
    words: str
    is_chosen: bool


@dataclass(frozen=True)
class Group:
    """The scores of one classification; below `threshold`, 0-1, the program abstains."""

    bars: tuple[Bar, ...]
    threshold: float | None


@dataclass(frozen=True)
class Scores:
    """What was found on a film: scores, and other numbers."""

    groups: tuple[Group, ...]
    rows: tuple[Value, ...]


@dataclass(frozen=True)
class Card:
    """A film among others: small, with its outcome."""

    image: Image.Image | None
    name: str
    words: str
    tone: Tone | None
    gist: str


@dataclass(frozen=True)
class Cards:
    """The films of a study, in rows of `across`."""

    cards: tuple[Card, ...]
    across: int
    more: str = ""


@dataclass(frozen=True)
class Remarks:
    """What a reader must know besides; `bases` say what a score is."""

    title: str
    bases: tuple[str, ...]
    notes: tuple[str, ...]


Block = (
    Headline
    | Calm
    | Warned
    | Numbers
    | Listing
    | Changes
    | Plotted
    | Cuts
    | Film
    | Scores
    | Cards
    | Remarks
)


@dataclass(frozen=True)
class Sheet:
    """One picture, or a page and those it goes on over.

    `place` is its place among several, `about` the images that it is about, in words, `facts` where
    the result comes from; `instances` are these images. `roomy` is the number of the block that
    leaves room beside it, if there is one.
    """

    place: str
    about: tuple[Pair, ...]
    blocks: tuple[Block, ...]
    facts: tuple[Pair, ...]
    instances: tuple[Instance, ...]
    roomy: int | None = None
