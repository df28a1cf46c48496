"""What a case is: how its files are made, and what is right to happen with them."""

from collections.abc import Callable
from dataclasses import dataclass

from hilum.offline.report import ReportState
from hilum_lab.odd_input.classic import CaseFiles, Maker


@dataclass(frozen=True)
class MustReceive:
    """A module must get one volume of `slices` planes that were scanned together.

    `words` are regular expressions, each of which must be found in what Hilum says of the study.
    `readable` says whether an independent reader makes the same volume of the same files; where it
    cannot, the phantom alone is the judge.
    """

    slices: int
    words: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True)
class MustRefuse:
    """No module may get anything, and the `words` (regular expressions) say why."""

    words: tuple[str, ...]
    state: ReportState | None = None  # any that is no result, unless it is given


Expected = MustReceive | MustRefuse


@dataclass(frozen=True)
class Case:
    """One odd input. Any of `right` is right."""

    name: str
    group: str
    modality: str
    make: Callable[[Maker], CaseFiles]
    right: tuple[Expected, ...]

    @property
    def title(self) -> str:
        """Its name, and that of its group: no other case has both."""
        return f"{self.group}: {self.name}"

    @property
    def study_uid(self) -> str:
        """The Study Instance UID: every case is one study."""
        return Maker(self.title, self.modality).uid("study")

    def exam(self) -> CaseFiles:
        """Make the files of the case."""
        return self.make(Maker(self.title, self.modality))


class CaseGroup:
    """A group of cases, in the order in which they are written."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cases: list[Case] = []

    def case(
        self, name: str, *right: Expected, modality: str = "MR"
    ) -> Callable[[Callable[[Maker], CaseFiles]], Callable[[Maker], CaseFiles]]:
        """Enter the decorated function as the one that makes the files of case `name`."""

        def enter(make: Callable[[Maker], CaseFiles]) -> Callable[[Maker], CaseFiles]:
            self.cases.append(Case(name, self.title, modality, make, right))
            return make

        return enter

    def add(
        self, name: str, make: Callable[[Maker], CaseFiles], *right: Expected, modality: str = "MR"
    ) -> None:
        """Enter one more case."""
        self.cases.append(Case(name, self.title, modality, make, right))


def received(slices: int = 12, *words: str, readable: bool = True) -> MustReceive:
    return MustReceive(slices, words, readable)


def refused(*words: str, state: ReportState | None = None) -> MustRefuse:
    return MustRefuse(words, state)
