"""A worklist that is asked by DIMSE: the UPS Pull SOP class (PS3.4 CC.3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hilum.config.ends import DicomNode
from hilum.config.kinds import WorklistSettings
from hilum.errors import DeliveryDelayed, DeliveryRefused, SourceDelayed, SourceRefused
from hilum.worklists import OfferedStep, ProcedureStepState, StepAnswer, StepStanding
from hilum.worklists.telling import StepTelling

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association

PUSH, PULL = "1.2.840.10008.5.1.4.34.6.1", "1.2.840.10008.5.1.4.34.6.3"
CHANGE_STATE = 1  # Action Type ID (PS3.4 table CC.2.1-1)
PENDING = (0xFF00, 0xFF01)
SUCCESS = (0x0000, 0x0001, 0xB300, 0xB304, 0xB305, 0xB306)  # or it is so already
UNKNOWN = (0xC307, 0x0112)
CONFLICTS = (0xC300, 0xC301, 0xC302, 0xC303, 0xC304, 0xC310)


class UpsSettings(WorklistSettings, DicomNode):
    """A worklist that is asked by DIMSE. It tells no events, so it cannot ask to cancel."""

    kind: Literal["ups"] = Field("ups", description="Unified Procedure Steps by DIMSE: UPS Pull.")


class UpsWorklist(StepTelling):
    """An SCP of the UPS Pull SOP class; each question is an association of its own."""

    settings = UpsSettings

    def __init__(self, settings: UpsSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def describe(self) -> str:
        with self._asked():
            return "accepts UPS Pull"

    def offered(self) -> list[OfferedStep]:
        from pydicom.dataset import Dataset

        from hilum.worklists.attributes import ASKED_FOR, offered_in

        wanted = Dataset()
        for keyword in ASKED_FOR:
            setattr(wanted, keyword, [Dataset()] if keyword.endswith("Sequence") else "")
        wanted.ProcedureStepState = ProcedureStepState.SCHEDULED.value
        found = []
        with self._asked() as association:
            for response, match in association.send_c_find(wanted, PULL):
                status = response.get("Status")
                if status not in (*PENDING, 0):
                    raise self._error(status, "the search")
                step = offered_in(match) if match is not None else None
                found += [step] if step else []
        return found

    def standing(self, uid: str) -> StepStanding | None:
        from pydicom.tag import Tag

        from hilum.worklists.attributes import OF_STANDING, standing_in

        with self._asked() as association:
            wanted = [Tag(keyword) for keyword in OF_STANDING]
            response, ds = association.send_n_get(wanted, PUSH, uid, meta_uid=PULL)
        status = response.get("Status")
        if status in UNKNOWN:
            return None
        standing = standing_in(ds, uid) if status in SUCCESS and ds is not None else None
        if standing is None:
            raise self._error(status, f"the request for the step {uid}")
        return standing

    def subscribe(self, uid: str) -> None:
        """Events would come by associations that are opened to us: that is not offered."""

    def cancel_requests(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""

    def _change_state(self, uid: str, change: "Dataset") -> StepAnswer:
        with self._asked() as association:
            response, _ = association.send_n_action(change, CHANGE_STATE, PUSH, uid, meta_uid=PULL)
        return self._answer(response.get("Status"), f"the change of the step {uid}")

    def _update(self, uid: str, changes: "Dataset") -> StepAnswer:
        with self._asked() as association:
            response, _ = association.send_n_set(changes, PUSH, uid, meta_uid=PULL)
        return self._answer(response.get("Status"), f"the update of the step {uid}")

    def _answer(self, status: int | None, what: str) -> StepAnswer:
        if status in UNKNOWN:
            return StepAnswer.GONE
        if status in CONFLICTS:
            return StepAnswer.CONFLICT
        if status not in SUCCESS:
            raise self._error(status, what)
        return StepAnswer.DONE

    def _error(self, status: int | None, what: str) -> SourceDelayed | SourceRefused:
        if status is None:
            return SourceDelayed(f"{self.name}: no answer to {what}")
        text = f"{self.name} answered {what} with 0x{status:04X}: its log names the cause"
        return SourceRefused(text)

    @contextmanager
    def _asked(self) -> "Iterator[Association]":
        """An association for UPS Pull; raises as the worklist does."""
        from pynetdicom.presentation import build_context

        from hilum.transport.scu import Peer, associate

        try:
            with associate(Peer.of(self._settings), [build_context(PULL)]) as association:
                if not association.accepted_contexts:
                    text = "does not offer UPS Pull: enable it there for us"
                    raise SourceRefused(f"{self.name}: {text}")
                yield association
        except DeliveryDelayed as error:
            raise SourceDelayed(f"{self.name}: {error}") from error
        except DeliveryRefused as error:
            raise SourceRefused(f"{self.name}: {error}") from error
