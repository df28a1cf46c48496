"""Asks the function of a module whether a series is meant, behind the walls."""

import time

from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.errors import ConfigurationError
from hilum.hosts.beginning import Question
from hilum.hosts.place import Place
from hilum.hosts.planning import plan_to_describe
from hilum.hosts.reader import ask
from hilum.hosts.scratch import make_scratch, remove
from hilum.module.origin import CodeOrigin
from hilum.wording import printable

SECONDS = 10.0  # all that is to be decided waits for it
PAUSE_SECONDS = 300.0  # after it failed, before it is asked again
MOST_KNOWN = 1000  # series


class WalledJudge:
    """What stands for the function `objection` of one input; it is asked once for each series."""

    def __init__(self, name: str, origin: CodeOrigin, place: Place, of: str) -> None:
        """`of` is the name of the input of the module called `name`."""
        self._name = name
        self._origin = origin
        self._place = place
        self._input = of
        self._known: dict[tuple[Part, ...], str] = {}
        self._failed: tuple[float, str] | None = None

    def __call__(self, series: Series) -> str:
        """Why `series` is not meant, "" if it is.

        Where the function fails, that is the reason, and nobody waits for it again for a while.
        Raises `MachineError` where it cannot be asked.
        """
        parts = Part.of(series)
        if parts in self._known:
            return self._known[parts]
        if self._failed and time.monotonic() - self._failed[0] < PAUSE_SECONDS:
            return self._failed[1]
        try:
            said = self._ask(parts)
        except ConfigurationError as error:
            reason = f"the module did not say whether it means this series: {error}"
            self._failed = (time.monotonic(), reason)
            return reason
        self._failed = None
        if len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[parts] = said
        return said

    def _ask(self, parts: tuple[Part, ...]) -> str:
        scratch = make_scratch()
        try:
            plan = plan_to_describe(self._origin, self._name, self._place, scratch)
            seconds = min(SECONDS, self._place.limits.timeout_seconds)
            said = ask(plan, Question(input=self._input), seconds, parts)
        finally:
            remove(scratch)
        if not isinstance(said, str):
            raise ConfigurationError("its answer is no text")
        return printable(said)
