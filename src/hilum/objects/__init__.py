"""Findings become result objects. One file per kind; nothing is written to disk or sent.

The only thing read here are the pixels of an analysed volume, for the picture; films come drawn.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from hilum.config.fields import JSONValues
from hilum.config.kinds import STANDARD_OBJECTS, Encoding, Regions
from hilum.dicom.header import Header
from hilum.dicom.identity import IDENTIFYING
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.errors import ConfigurationError, where
from hilum.findings import Findings, Note
from hilum.kinds import OBJECTS
from hilum.objects.analysis import Analysis
from hilum.objects.assessed import ReaderWord
from hilum.objects.iod import further, pm, shapes  # noqa: F401 - how the report tells them
from hilum.objects.iod.assessment import write_assessment
from hilum.objects.iod.common import sop_instance_uid
from hilum.objects.iod.withdrawal import write_withdrawal
from hilum.objects.kinds import Assessable, Document, ResultObject, Withdrawable, Writing
from hilum.objects.telling import in_known_kinds
from hilum.results import DICOM

__all__ = [
    "Analysis",
    "Document",
    "ReaderWord",
    "ResultObject",
    "Writing",
    "write_assessment",
    "write_objects",
    "write_other_assessments",
    "write_other_withdrawals",
    "write_what_can_be",
    "write_withdrawal",
]

UNREADABLE_LETTERS = (
    "The images do not say which characters their texts are written in; names and other texts may "
    "be shown with wrong letters."
)
NO_WISHES: JSONValues = {}
OnLoss = Callable[[str, Exception], None]


def write_objects(
    analysis: Analysis,
    kinds: Sequence[str] = STANDARD_OBJECTS,
    segmentation: Encoding = "binary",
    regions: Regions = "outlines",
    on_loss: OnLoss | None = None,
) -> list[tuple[str, Dataset | bytes]]:
    """The contents of the result objects which tell `analysis`, each with its kind.

    They are SOP instances, ready for `save_as` or sending, and the bytes of files for kinds that
    are no DICOM objects. The same arguments give identical bytes. There is one of each kind, but a
    picture ("sc") for each film of a study and a first one for all; a kind that does not apply is
    left out: no Segmentation without segments. Without "seg" the measurement report refers to no
    segmentation, so that a destination never receives a dangling reference; its UID then differs,
    too.

    Parameters
    ----------
    analysis : Analysis
        What was found, by what, on what.
    kinds : sequence of str
        Any that is registered (`hilum.kinds.OBJECTS`), such as "seg", "sr", "sc" and "pdf".
    segmentation : {"binary", "fractional", "labelmap", "ohif"}
        Segmentation Type (PS3.3 C.8.20.2). "ohif" is FRACTIONAL where Rows x Columns is no multiple
        of 8, because OHIF scrambles such BINARY objects silently, else BINARY. "labelmap" is a
        Label Map Segmentation, RLE Lossless, and BINARY where structures overlap.
    regions : {"outlines", "segments"}
        How the measurement report says where a measurement was made: by outlines on the images,
        which viewers draw, or by a reference to the segment, which machines read (PS3.16 TID 1411
        takes one of the two). Without "seg" among the kinds it is always outlines.
    on_loss : function of kind and error, optional
        Called for a kind that cannot be written; the others are. Without it the error is raised. Of
        a refusal whose report or picture is lost, one is made that says the same and nothing of the
        images' headers but whose they are.
    """
    written = _with_bare(analysis, kinds, segmentation, regions, {}, on_loss)
    return [(kind, content) for kind, content, _ in written]


def _with_bare(
    analysis: Analysis,
    kinds: Sequence[str],
    segmentation: Encoding,
    regions: Regions,
    wishes: JSONValues,
    on_loss: OnLoss | None,
) -> list[tuple[str, Dataset | bytes, bytes]]:
    """As `_written`, and a bare report and picture of a refusal that has lost its own."""
    lost: list[str] = []

    def note(kind: str, error: Exception) -> None:
        if on_loss is None:
            raise error
        lost.append(kind)
        on_loss(kind, error)

    written = _written(analysis, kinds, segmentation, regions, wishes, note)
    bare = [kind for kind in ("sr", "sc") if kind in lost]
    if bare and analysis.findings.refusal:
        written += _written(_bare(analysis), bare, segmentation, regions, wishes, note)
    return written


def write_what_can_be(
    analysis: Analysis,
    lost: dict[str, str],
    kinds: Sequence[str] = STANDARD_OBJECTS,
    segmentation: Encoding = "binary",
    regions: Regions = "outlines",
    wishes: JSONValues = NO_WISHES,
    variant: str = "",
) -> list[Document]:
    """As `write_objects`, to be kept; why a kind is not among them is put into `lost`.

    `wishes` are the further settings of a destination that kinds write by. `variant` tells files of
    one kind apart that are written in several ways; a DICOM object has a UID of its own for each.
    Raises what was raised last if there is none at all.
    """
    errors: dict[str, Exception] = {}
    written = _with_bare(analysis, kinds, segmentation, regions, wishes, errors.__setitem__)
    if errors and not written:
        raise next(reversed(errors.values()))
    lost |= {kind: where(error) for kind, error in errors.items()}
    numbers: Counter[str] = Counter()
    documents = []
    for kind, content, encoded in written:
        numbers[kind] += 1
        documents.append(_document(analysis, kind, content, encoded, variant, numbers[kind]))
    return documents


def write_other_withdrawals(
    analysis: Analysis,
    results: Mapping[str, str],
    lost: dict[str, str],
    reason: str,
    variant: str = "",
    wishes: JSONValues = NO_WISHES,
) -> list[Document]:
    """What takes back results that are no DICOM objects, given by identity with their kinds.

    One for each kind that can be taken back, if its package is still installed; `analysis` is that
    of the note, `variant` and `wishes` are those of the results. Why a kind fails to is put into
    `lost`.
    """

    def write(kind: ResultObject, writing: Writing, identities: Sequence[str]) -> bytes | None:
        if isinstance(kind, Withdrawable):
            return kind.write_withdrawal(writing, identities, reason)
        return None

    return _other_notes(analysis, results, lost, write, variant, wishes)


def write_other_assessments(
    analysis: Analysis,
    results: Mapping[str, str],
    lost: dict[str, str],
    word: ReaderWord,
    variant: str = "",
    wishes: JSONValues = NO_WISHES,
) -> list[Document]:
    """What tells the `word` of a reader on results that are no DICOM objects, in the same way."""

    def write(kind: ResultObject, writing: Writing, identities: Sequence[str]) -> bytes | None:
        if isinstance(kind, Assessable):
            return kind.write_assessment(writing, identities, word)
        return None

    return _other_notes(analysis, results, lost, write, variant, wishes)


def _other_notes(
    analysis: Analysis,
    results: Mapping[str, str],
    lost: dict[str, str],
    write: Callable[[ResultObject, Writing, Sequence[str]], bytes | None],
    variant: str,
    wishes: JSONValues,
) -> list[Document]:
    """One note for each kind among `results` that `write` gives something for."""
    documents = []
    for kind in sorted(set(results.values()) & set(OBJECTS.names)):
        identities = [identity for identity, of in results.items() if of == kind]
        try:
            writing = Writing(_as_told(analysis), wishes=wishes)
            content = write(OBJECTS.load(kind)(), writing, identities)
            if content is not None:
                documents.append(_document(analysis, kind, content, content, variant))
        except Exception as error:  # noqa: BLE001 - around one kind: the others are written
            lost[kind] = where(error)
    return documents


def _document(
    analysis: Analysis,
    kind: str,
    content: Dataset | bytes,
    encoded: bytes,
    variant: str,
    number: int = 1,
) -> Document:
    if isinstance(content, Dataset):
        return Document(kind, DICOM, str(content.SOPInstanceUID), content, encoded, number)
    identity = sop_instance_uid(analysis, kind, variant, number)
    return Document(kind, OBJECTS.load(kind).media_type, identity, content, encoded, number)


def _written(
    analysis: Analysis,
    kinds: Sequence[str],
    segmentation: Encoding,
    regions: Regions,
    wishes: JSONValues,
    on_loss: OnLoss,
) -> list[tuple[str, Dataset | bytes, bytes]]:
    """What can be written of `kinds`, with the content of its file: each is encoded once.

    `on_loss` is told of each kind that cannot be written, or whose values cannot be encoded.
    """
    made: dict[str, Sequence[Dataset | bytes]] = {}
    files: dict[str, list[bytes]] = {}
    writing = Writing(_as_told(analysis), segmentation, regions, made, wishes)
    for kind, writer in _writers(kinds, on_loss).items():
        try:
            contents = writer().write(writing)
            files[kind] = [as_file(c) if isinstance(c, Dataset) else c for c in contents]
        except Exception as error:  # noqa: BLE001 - around one kind of object: the others go out
            on_loss(kind, error)
        else:
            made[kind] = contents
    return [
        (kind, content, encoded)
        for kind in kinds
        if kind in made
        for content, encoded in zip(made[kind], files[kind], strict=True)
    ]


def _writers(kinds: Sequence[str], on_loss: OnLoss) -> dict[str, type[ResultObject]]:
    """The classes of `kinds`, each after those that it refers to."""
    loaded: dict[str, type[ResultObject]] = {}
    for kind in kinds:
        try:
            loaded[kind] = OBJECTS.load(kind)
        except ConfigurationError as error:
            on_loss(kind, error)
    ordered: dict[str, type[ResultObject]] = {}

    def add(kind: str, asked_by: tuple[str, ...] = ()) -> None:
        for other in loaded[kind].refers_to:
            if other in loaded and other not in asked_by:
                add(other, (*asked_by, kind))
        ordered.setdefault(kind, loaded[kind])

    for kind in loaded:
        add(kind)
    return ordered


def _as_told(analysis: Analysis) -> Analysis:
    """`analysis` in kinds that the writers know, with what a reader must know of the images."""
    remarks = []
    if differ := analysis.judgement.beside:
        text = f"Other images of this study name another patient ({', '.join(differ)})"
        remarks.append(Note(text, caution=True))
    remarks += (Note(text, caution=True) for text in analysis.left_out)
    if any(instance.header.is_assumed for instance in analysis.instances):
        remarks.append(Note(UNREADABLE_LETTERS))
    told = in_known_kinds(analysis.findings)
    return replace(analysis, findings=Findings((*told.items, *remarks)))


def _bare(analysis: Analysis) -> Analysis:
    """`analysis` of images that state nothing but whose they are."""
    study = Study.of(map(_identity, analysis.study.instances))
    inputs = {
        name: tuple(s for one in chosen for s in Study.of(map(_identity, one.instances)).series)
        for name, chosen in analysis.inputs.items()
    }
    return replace(analysis, study=study, inputs=inputs, reasons=(), incomplete=None, pictures={})


def _identity(instance: Instance) -> Instance:
    header = Header()
    for keyword in (*IDENTIFYING, "SpecificCharacterSet"):
        if keyword in instance.header:
            header[keyword] = instance.header[keyword]
    return replace(instance, header=header, places={})
