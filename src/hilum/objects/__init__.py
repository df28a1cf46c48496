"""Findings become SOP instances. One file per kind of object; nothing is written to disk or sent.

The only thing read here are the pixels of an analysed volume, for the picture; films come drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from hilum.dicom.header import Header
from hilum.dicom.identity import IDENTIFYING
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.errors import where
from hilum.findings import Findings, Note
from hilum.objects.analysis import Analysis
from hilum.objects.iod import pdf, sc, seg, sr
from hilum.objects.iod.seg import Encoding
from hilum.objects.iod.sr import Regions
from hilum.objects.iod.withdrawal import write_withdrawal
from hilum.objects.report import Report

__all__ = [
    "KINDS",
    "Analysis",
    "Encoding",
    "Regions",
    "write_objects",
    "write_what_can_be",
    "write_withdrawal",
]

UNREADABLE_LETTERS = (
    "The images do not say which characters their texts are written in; names and other texts may "
    "be shown with wrong letters."
)
KINDS = ("seg", "sr", "sc", "pdf")
OnLoss = Callable[[str, Exception], None]


def write_objects(
    analysis: Analysis,
    kinds: Sequence[str] = KINDS,
    segmentation: Encoding = "auto",
    regions: Regions = "outlines",
    on_loss: OnLoss | None = None,
) -> list[tuple[str, Dataset]]:
    """The SOP instances which tell `analysis`, each with its kind, ready for `save_as` or sending.

    The same arguments give identical bytes. There is one of each kind, but a picture ("sc") for
    each film of a study and a first one for all; a kind that does not apply is left out: no
    Segmentation without segments. Without "seg" the measurement report refers to no segmentation,
    so that a destination never receives a dangling reference; its UID then differs, too.

    Parameters
    ----------
    analysis : Analysis
        What was found, by what, on what.
    kinds : sequence of str
        Any of "seg", "sr", "sc" and "pdf".
    segmentation : {"auto", "binary", "fractional"}
        Segmentation Type (PS3.3 C.8.20.2). "auto" is FRACTIONAL where Rows x Columns is no multiple
        of 8, because OHIF scrambles such BINARY objects silently, else BINARY.
    regions : {"outlines", "segments"}
        How the measurement report says where a measurement was made: by outlines on the images,
        which viewers draw, or by a reference to the segment, which machines read (PS3.16 TID 1411
        takes one of the two). Without "seg" among the kinds it is always outlines.
    on_loss : function of kind and error, optional
        Called for a kind that cannot be written; the others are. Without it the error is raised. Of
        a refusal whose report or picture is lost, one is made that says the same and nothing of the
        images' headers but whose they are.
    """
    lost: list[str] = []

    def note(kind: str, error: Exception) -> None:
        if on_loss is None:
            raise error
        lost.append(kind)
        on_loss(kind, error)

    written = _written(analysis, kinds, segmentation, regions, note)
    bare = [kind for kind in ("sr", "sc") if kind in lost]
    if bare and analysis.findings.refusal:
        written += _written(_bare(analysis), bare, segmentation, regions, note)
    return written


def write_what_can_be(
    analysis: Analysis,
    lost: dict[str, str],
    kinds: Sequence[str] = KINDS,
    segmentation: Encoding = "auto",
    regions: Regions = "outlines",
) -> list[tuple[str, Dataset]]:
    """As `write_objects`; why a kind is not among them is put into `lost`.

    Raises what was raised last if there is none at all.
    """
    errors: dict[str, Exception] = {}
    written = write_objects(analysis, kinds, segmentation, regions, errors.__setitem__)
    if errors and not written:
        raise next(reversed(errors.values()))
    lost |= {kind: where(error) for kind, error in errors.items()}
    return written


def _written(
    analysis: Analysis,
    kinds: Sequence[str],
    segmentation: Encoding,
    regions: Regions,
    on_loss: OnLoss,
) -> list[tuple[str, Dataset]]:
    """What can be written of `kinds`; `on_loss` is told of each that cannot."""
    report = Report(_with_remarks(analysis))

    def attempt(kind: str, write: Callable[[], Sequence[Dataset | None]]) -> list[Dataset]:
        if kind not in kinds:
            return []
        try:
            made = [dataset for dataset in write() if dataset]
            for dataset in made:
                as_file(dataset)  # whose values can be encoded, too
        except Exception as error:  # noqa: BLE001 - around one kind of object: the others go out
            on_loss(kind, error)
            return []
        return made

    overlay = next(iter(attempt("seg", lambda: [seg.write(report, segmentation)])), None)
    made = {
        "seg": [overlay] if overlay else [],
        "sr": attempt("sr", lambda: [sr.write(report, overlay, regions)]),
        "sc": attempt("sc", lambda: sc.write(report)),
        "pdf": attempt("pdf", lambda: [pdf.write(report)]),
    }
    return [(kind, dataset) for kind, datasets in made.items() for dataset in datasets]


def _with_remarks(analysis: Analysis) -> Analysis:
    """`analysis`, with what a reader must know of whose images these are."""
    remarks = []
    if differ := analysis.judgement.beside:
        text = f"Other images of this study name another patient ({', '.join(differ)})"
        remarks.append(Note(text, caution=True))
    remarks += (Note(text, caution=True) for text in analysis.left_out)
    if any(instance.header.is_assumed for instance in analysis.instances):
        remarks.append(Note(UNREADABLE_LETTERS))
    if not remarks:
        return analysis
    return replace(analysis, findings=Findings((*analysis.findings.items, *remarks)))


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
