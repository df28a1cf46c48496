"""What a person asks for, or a worklist."""

from dataclasses import dataclass

from hilum.records.states import RequestAction, StepState


@dataclass(frozen=True)
class Wish:
    """What a person chooses with what is asked for; "" and () where nothing is to be chosen."""

    module: str = ""
    destinations: tuple[str, ...] = ()
    images: bool = False  # whether the analysed images go along
    archive: str = ""  # where it is fetched from

    def __str__(self) -> str:
        """What was chosen, in words."""
        places = f"to {', '.join(self.destinations)}" if self.destinations else ""
        images = "with the images" if self.images else ""
        source = f"from {self.archive}" if self.archive else ""
        return "; ".join(filter(None, (self.module, places, images, source)))


@dataclass(frozen=True)
class Request:
    """What a person asked for; `answer` is None until the gateway has seen to it.

    It is about a workitem, or about a study where `workitem_id` is "".
    """

    id: int
    at: float
    action: RequestAction
    workitem_id: str
    reason: str
    answer: str | None = None
    done: bool = False
    study_uid: str = ""
    wish: Wish = Wish()
    progress: str = ""  # how far it is, where it takes its time


@dataclass(frozen=True)
class WorklistStep:
    """A step of a worklist that asks for a module on a study.

    `fetch` and `analysis` are the requests that were made for it. The Transaction UID shows that it
    is ours: nobody else is told it.
    """

    worklist: str
    uid: str  # SOP Instance UID of the step
    study_uid: str
    module: str
    code: tuple[str, str, str]  # value, scheme and meaning of what is asked for
    state: StepState
    since: float
    transaction_uid: str = ""  # "" before it is claimed
    began_at: float | None = None  # when it became ours
    fetch: int | None = None
    analysis: int | None = None
    workitem_id: str = ""
    told: str = ""  # what the worklist was last told of its progress
    reason: str = ""  # why it ends without a result, or is not claimed
    cancel_asked: bool = False  # somebody wants it canceled, and we have not heeded that yet
    problem: str = ""  # why the worklist does not take what it is told
