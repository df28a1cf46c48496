"""A worklist: a folder with a JSON file for each step, as a small workflow program writes them."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hilum.config.kinds import WorklistSettings
from hilum.errors import SourceDelayed
from hilum.worklists import (
    OfferedStep,
    PerformedStep,
    ProcedureStepState,
    StepAnswer,
    StepStanding,
)


class TraySettings(WorklistSettings):
    """Such a folder."""

    kind: Literal["tray"] = Field("tray", description="A folder with a JSON file for each step.")
    folder: Path = Field(description="Where the files are put.", examples=["tray"])


class TrayWorklist:
    """UID.step is a step, UID.claim the Transaction UID of its performer, UID.end how it ended.

    Whoever wants a step canceled makes a file UID.unwanted.
    """

    settings = TraySettings

    def __init__(self, settings: TraySettings) -> None:
        self._name = settings.name
        self._folder = settings.folder

    def describe(self) -> str:
        return f"a folder with {len(self._steps())} steps"

    def offered(self) -> list[OfferedStep]:
        found = []
        for path in self._steps():
            if self._state(path.stem) is ProcedureStepState.SCHEDULED:
                said = json.loads(path.read_text())
                value, scheme, meaning = said["code"]
                code = (value, scheme, meaning)
                found.append(OfferedStep(path.stem, code, said["study"], is_ready=True))
        return found

    def standing(self, uid: str) -> StepStanding | None:
        state = self._state(uid)
        return StepStanding(state, self._file(uid, "unwanted").exists()) if state else None

    def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
        if self._state(uid) is ProcedureStepState.SCHEDULED:
            try:
                with self._file(uid, "claim").open("x") as file:  # one alone succeeds
                    file.write(transaction_uid)
            except FileExistsError:
                return StepAnswer.CONFLICT
        return self._answer(uid, transaction_uid)

    def report(self, uid: str, transaction_uid: str, percent: int, text: str) -> StepAnswer:
        return self._tell(uid, transaction_uid, "progress", {"percent": percent, "text": text})

    def complete(self, uid: str, transaction_uid: str, performed: PerformedStep) -> StepAnswer:
        said = {"state": ProcedureStepState.COMPLETED, "performed": asdict(performed)}
        return self._tell(uid, transaction_uid, "end", said)

    def cancel(
        self, uid: str, transaction_uid: str, performed: PerformedStep, reason: str
    ) -> StepAnswer:
        said = {"state": ProcedureStepState.CANCELED, "reason": reason}
        return self._tell(uid, transaction_uid, "end", said)

    def subscribe(self, uid: str) -> None:
        """A folder tells nothing by itself."""

    def cancel_requests(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""

    def _steps(self) -> list[Path]:
        if not self._folder.is_dir():
            raise SourceDelayed(f"{self._name}: {self._folder} is not there: make or mount it")
        return sorted(self._folder.glob("*.step"))

    def _state(self, uid: str) -> ProcedureStepState | None:
        if self._file(uid, "end").exists():
            return ProcedureStepState(json.loads(self._file(uid, "end").read_text())["state"])
        if self._file(uid, "claim").exists():
            return ProcedureStepState.IN_PROGRESS
        return ProcedureStepState.SCHEDULED if self._file(uid, "step").exists() else None

    def _file(self, uid: str, what: str) -> Path:
        return self._folder / f"{uid}.{what}"

    def _answer(self, uid: str, transaction_uid: str) -> StepAnswer:
        """Whether the step is that performer's, and has not ended."""
        state = self._state(uid)
        if state is None:
            return StepAnswer.GONE
        if state is not ProcedureStepState.IN_PROGRESS:
            return StepAnswer.CONFLICT
        is_ours = self._file(uid, "claim").read_text() == transaction_uid
        return StepAnswer.DONE if is_ours else StepAnswer.CONFLICT

    def _tell(self, uid: str, transaction_uid: str, what: str, said: dict[str, Any]) -> StepAnswer:
        answer = self._answer(uid, transaction_uid)
        if answer is StepAnswer.DONE:
            unfinished = self._file(uid, "part")
            unfinished.write_text(json.dumps(said))
            unfinished.rename(self._file(uid, what))  # whole, or not there
        return answer
