"""Where results go. A destination takes results, and is asked for what it was given.

Each kind is one file beside this one, or in another package: its settings and its class, found by
an entry point of the group `hilum.destinations` (see `hilum.kinds`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from hilum.answers import Answer, Checked, Commitment, Filed, Shown
from hilum.config.kinds import DestinationSettings
from hilum.errors import DeliveryDelayed, DeliveryRefused, HilumError
from hilum.kinds import DESTINATIONS
from hilum.results import Result

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

OF_SERIES = ("PatientID", "IssuerOfPatientID")  # asked of a series, to know whose it is
CALL_SECONDS = 5.0  # longest wait for the answer to a call


class Destination(Protocol):
    """What a kind of destination does, opened with the settings of its own class `settings`.

    What is slow to import belongs into the methods: whoever reads hilum.toml reads the file.
    `send`, `ask` and `filing` raise `DeliveryDelayed` if it does not answer now, and
    `DeliveryRefused`, with the cure, if a person has to do something first.
    """

    name: str
    takes: tuple[str, ...]  # media types of results; "*" stands for any text, as in a shell

    def is_reachable(self) -> bool:
        """Whether it answers at all, even if only to refuse; waits `CALL_SECONDS` at most.

        `ConfigurationError` if our own settings do not let us ask.
        """

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        """Hand over `results`, and give one answer for each as it comes.

        What was handed over and got no answer gives an answer, too: that the outcome is unknown.
        If an error is raised, the results without an answer were not handed over.
        """

    def ask(self, results: Sequence[Result]) -> Shown:
        """Which of `results` it does not show, in the same order, and what that is worth."""

    def filing(self, study_uid: str) -> Sequence[Filed] | None:
        """Under which patients it files a study; None if it does not file by patients."""

    def check(self) -> Iterator[Checked]:
        """Try what a delivery needs, and tell how each of it went; nothing is sent or changed."""


@runtime_checkable
class CommittingDestination(Protocol):
    """A destination that can be asked to take responsibility for what it was sent."""

    def request_commitment(
        self, results: Sequence[Result], transaction_uid: str
    ) -> Commitment | None:
        """Ask for storage commitment (PS3.4 J.3.2); None if the answer comes later, to us."""


def checks_of(settings: DestinationSettings) -> Iterator[Checked]:
    """What the destination of `settings` tells when it is checked, or why it cannot be."""
    try:
        settings.check()
        yield from open_destination(settings).check()
    except (HilumError, OSError) as error:
        yield Checked("settings", False, str(error))


def is_answered(call: Callable[[], object]) -> bool:
    """Whether `call`, which asks a destination for anything, is answered at all."""
    try:
        call()
    except DeliveryRefused:
        return True  # it does not want us, but it is there
    except DeliveryDelayed as error:
        return error.pause_seconds > 0  # it is there, and says when it wants to be asked
    return True


def tried(what: str, call: Callable[[], object], good: str) -> Checked:
    """Whether `call`, which tries a part of what a delivery needs, raises no `HilumError`."""
    try:
        call()
    except HilumError as error:
        return Checked(what, False, str(error))
    return Checked(what, True, good)


def of_study(study_uid: str, matches: Iterable["Dataset"]) -> list["Dataset"]:
    """Those `matches` that state no other study: some archives give more than was asked for."""
    from hilum.dicom.header import text_of

    return [one for one in matches if text_of(one, "StudyInstanceUID") in ("", study_uid)]


def series_under(
    stated: "Dataset", series: Iterable["Dataset"], patients: Sequence["Dataset"]
) -> frozenset[str]:
    """Those `series`, by UID, that an archive lists under the patient of one of its `patients`.

    Where it has several and does not state whose a series is, the series counts for none. Two of
    them may have one Patient ID from two issuers.
    """
    from hilum.dicom.header import text_of

    if len(patients) == 1:
        return frozenset(text_of(one, "SeriesInstanceUID") for one in series)
    namesakes = [p for p in patients if text_of(p, "PatientID") == text_of(stated, "PatientID")]
    keys = OF_SERIES if len(namesakes) > 1 else OF_SERIES[:1]
    of_whom = [one for one in series if all(text_of(one, k) == text_of(stated, k) for k in keys)]
    return frozenset(text_of(one, "SeriesInstanceUID") for one in of_whom)


def open_destination(settings: DestinationSettings) -> Destination:
    """The destination that `settings` describe."""
    destination: Destination = DESTINATIONS.load(settings.kind)(settings)
    return destination
