"""Asks the function of a module whether a series is meant, behind the walls."""

import math
import time

from hilum.dicom.identity import label_of
from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.errors import ConfigurationError
from hilum.hosts.beginning import Question
from hilum.hosts.place import Place
from hilum.hosts.reader import DidNotComeBack, ask_module
from hilum.module.origin import CodeOrigin
from hilum.wording import printable

SECONDS = 10.0  # all that is to be decided waits for it
PAUSE_SECONDS = 300.0  # after it failed on a series, before it is asked of that again
MOST_SILENT = 3  # series in a row that it did not answer for in time; then it is asked of none
MOST_KNOWN = 1000  # series


class WalledJudge:
    """What stands for the function `objection` of one input; it is asked once for each series."""

    def __init__(self, name: str, origin: CodeOrigin, place: Place, of: str) -> None:
        """`of` is the name of the input of the module called `name`."""
        self._name = name
        self._origin = origin
        self._place = place
        self._input = of
        self._known: dict[tuple[object, ...], tuple[str, float]] = {}  # and until when it holds
        self._silent = 0
        self._rest = ("", 0.0)  # why it is asked of no series, and until when

    def __call__(self, series: Series) -> str:
        """Why `series` is not meant, "" if it is.

        Where the function fails, that is the reason against this series, for a while. Other series
        are not to blame: only where it never comes back does nobody wait for it any more.
        Raises `MachineError` where it cannot be asked.
        """
        parts = Part.of(series)
        this = (parts, label_of(series.instances))  # files are exchanged where data are corrected
        for reason, until in (self._known.get(this, ("", 0.0)), self._rest):
            if time.monotonic() < until:
                return reason
        said, until = self._answer(parts)
        if len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[this] = (said, until)
        return said

    def _answer(self, parts: tuple[Part, ...]) -> tuple[str, float]:
        """What it says, or why it does not, and until when that holds."""
        try:
            said = self._ask(parts)
        except ConfigurationError as error:
            reason = f"the module did not say whether it means this series: {error}"
            until = time.monotonic() + PAUSE_SECONDS
            self._silent = self._silent + 1 if isinstance(error, DidNotComeBack) else 0
            if self._silent >= MOST_SILENT:
                self._rest = (reason, until)
            return reason, until
        self._silent = 0
        return said, math.inf

    def _ask(self, parts: tuple[Part, ...]) -> str:
        question = Question(input=self._input)
        said = ask_module(self._name, self._origin, self._place, question, SECONDS, parts)
        if not isinstance(said, str):
            raise ConfigurationError("its answer is no text")
        return printable(said)
