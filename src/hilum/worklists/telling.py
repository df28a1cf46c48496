"""What every kind of UPS worklist is told of a step in the same way; each has its way to send it.

Before a step is ended it is told why: it has to hold what its final state needs.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from hilum.worklists import PerformedStep, ProcedureStepState, StepAnswer

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset


class StepTelling(ABC):
    """The part of a `Worklist` that tells it of a step; a kind sends what stands in data sets."""

    def claim(self, uid: str, transaction_uid: str) -> StepAnswer:
        return self._move(uid, transaction_uid, ProcedureStepState.IN_PROGRESS)

    def report(self, uid: str, transaction_uid: str, percent: int, text: str) -> StepAnswer:
        from hilum.worklists.attributes import progress

        return self._update(uid, progress(transaction_uid, percent, text))

    def complete(self, uid: str, transaction_uid: str, performed: PerformedStep) -> StepAnswer:
        from hilum.worklists.attributes import completion

        changes = completion(transaction_uid, performed)
        return self._end(uid, transaction_uid, changes, ProcedureStepState.COMPLETED)

    def cancel(
        self, uid: str, transaction_uid: str, performed: PerformedStep, reason: str
    ) -> StepAnswer:
        from hilum.worklists.attributes import cancellation

        changes = cancellation(transaction_uid, performed, reason)
        return self._end(uid, transaction_uid, changes, ProcedureStepState.CANCELED)

    def _end(
        self, uid: str, transaction_uid: str, why: "Dataset", state: ProcedureStepState
    ) -> StepAnswer:
        told = self._update(uid, why)
        if told is not StepAnswer.DONE:
            return told
        return self._move(uid, transaction_uid, state)

    def _move(self, uid: str, transaction_uid: str, state: ProcedureStepState) -> StepAnswer:
        from hilum.worklists.attributes import state_change

        return self._change_state(uid, state_change(transaction_uid, state))

    @abstractmethod
    def _update(self, uid: str, changes: "Dataset") -> StepAnswer:
        """Have the step hold `changes`."""

    @abstractmethod
    def _change_state(self, uid: str, change: "Dataset") -> StepAnswer:
        """Have the step in the state that `change` asks for."""
