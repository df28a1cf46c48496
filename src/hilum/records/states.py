"""The states of a workitem and of a delivery, and which of them follow each other."""

from enum import StrEnum


class State(StrEnum):
    """The states of a workitem (the diagram stands in docs/explanation/architecture.md)."""

    SCHEDULED = "scheduled"  # waits for a worker
    RUNNING = "running"  # a module analyses it
    DELIVERING = "delivering"  # results are written, not yet read back from every destination
    COMPLETED = "completed"  # every result was read back from every destination
    NOT_APPLICABLE = "not applicable"  # the study holds nothing the module can analyse
    HELD = "held"  # the right series is incomplete, or it is not sure whose it is
    PARKED = "parked"  # a destination refused a result; a person has to do something
    FAILED = "failed"  # the module failed; a refusal was delivered in place of a result
    CANCELLED = "cancelled"  # superseded by a run on more images before anything was sent
    WITHDRAWN = "withdrawn"  # a person took the result back; a note in the archive says so

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (State.SCHEDULED, State.RUNNING, State.DELIVERING)

    @property
    def over(self) -> bool:
        """Whether it is settled and waits for nobody either."""
        return self.settled and self not in (State.PARKED, State.HELD)


# From where each state is reached. Anything else is not done: what a worker or a delivery that was
# under way still has to say about a workitem that a person cancelled or withdrew changes nothing.
REACHED_FROM = {
    State.RUNNING: (State.SCHEDULED, State.RUNNING),
    State.DELIVERING: (State.RUNNING, State.DELIVERING, State.PARKED),
    State.COMPLETED: (State.DELIVERING, State.PARKED),
    State.PARKED: (State.DELIVERING, State.PARKED),
    State.FAILED: (State.SCHEDULED, State.RUNNING, State.DELIVERING, State.PARKED),
    State.CANCELLED: (
        State.SCHEDULED,
        State.RUNNING,
        State.DELIVERING,
        State.PARKED,
        State.HELD,
    ),
    State.WITHDRAWN: (
        State.DELIVERING,
        State.PARKED,
        State.COMPLETED,
        State.FAILED,
        State.CANCELLED,  # what was under way then may have arrived
    ),
}


class Delivery(StrEnum):
    """How a delivery stands: the results of one workitem on their way to one destination."""

    WAITING = "waiting"  # due
    DELAYED = "delayed"  # failed, due again at `next_attempt`
    REFUSED = "refused"  # the destination will never take it as it is; a person releases it
    VERIFIED = "verified"  # the destination has shown it to us
    CANCELLED = "cancelled"  # withdrawn or cancelled before it was sent

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any more."""
        return self in (Delivery.VERIFIED, Delivery.CANCELLED)


OWED = (Delivery.WAITING, Delivery.DELAYED)  # nobody but us has to do something
