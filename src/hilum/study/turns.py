"""When the turn of a workitem comes: what it waits for, what makes it needless, what hastens it."""

from collections.abc import Callable

from hilum.config.site import Site
from hilum.engine import durable
from hilum.processes.hints import HintSender, Ready, wake_workers
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import UNFINISHED, EventKind, PausedKind, WorkitemState
from hilum.study.away import Away
from hilum.study.workitems import Workitems


class Turns:
    """The turns of all workitems at the workers.

    `clock` gives the time in s since 1970, `engine` runs what is handed to the workers, and
    `hints` go to the gateway.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        workitems: Workitems,
        clock: Callable[[], float],
        engine: durable.Engine,
        hints: HintSender,
    ) -> None:
        self._data = site.data
        self._records = records
        self._workitems = workitems
        self._composition = workitems.composition
        self._clock = clock
        self._engine = engine
        self._hints = hints
        self._away = Away(clock)

    # In the gateway -------------------------------------------------------------------------------

    def hand_over(self, item: Workitem, analyse: Callable[[str], None]) -> None:
        """Have a worker call `analyse` with the id of `item`, unless it has to wait.

        It waits while a person has disabled its module, for the hours of its rule, for findings of
        another one, and for a server that is away.
        """
        if waits := self._workitems.hours.told(item, self._clock()):
            if item.reason != waits:
                self._records.workitems.note_wait(item, waits)
            return
        if self.waits(item) or self._away.holds(item):
            return
        launch = item.launch
        # Where the workflow is over and the workitem is not, the engine gave up.
        if self._engine.is_over(f"{item.id}.{launch}"):
            if self._records.workitems.one(item.id).state not in UNFINISHED:
                return  # it has ended meanwhile
            launch = self._records.workitems.count_launch(item.id)
        priority = durable.PRIORITIES["STAT" if item.at_once else item.rule.priority]
        self._engine.enqueue(durable.ANALYSE, analyse, f"{item.id}.{launch}", item.id, priority)
        wake_workers(self._data)

    def waits(self, item: Workitem) -> bool:
        """Whether it has not begun, and a person has disabled its module, it is not the time of the
        day for it, or other findings are to come.

        What has begun is finished.
        """
        if item.state is not WorkitemState.SCHEDULED:
            return False
        if self._workitems.hours.waits(item, self._clock()):
            return True
        disabled = self._records.pauses.get(PausedKind.MODULE, item.module)
        return disabled is not None or bool(self._composition.awaited(item))

    def begin_first(self, item: Workitem, why: str) -> bool:
        """Have `item` begin before others, and at any hour; False if it has begun or is to already.

        `why` follows "because".
        """
        if not self._records.workitems.begin_at_once(item, f"begins first, because {why}"):
            return False
        self._engine.hasten(f"{item.id}.{item.launch}", durable.PRIORITIES["STAT"])
        self._hints.send(Ready(item.id))
        return True

    # In a worker ----------------------------------------------------------------------------------

    def has_come(self, workitem_id: str) -> bool:
        """Whether it is to begin now; if it has to wait, the sweep hands it over again."""
        return (
            self.is_wanted(workitem_id)
            and not self.waits(self._records.workitems.one(workitem_id))
            and not self._is_renewed(workitem_id)
        )

    def is_wanted(self, workitem_id: str) -> bool:
        """False if it has ended, a person cancelled it, or another run has replaced it."""
        item = self._records.workitems.one(workitem_id)
        if item.superseded_by:
            newer = self._records.workitems.get(item.superseded_by)
            is_same = newer is not None and newer.inputs == item.inputs
            text = "another run replaces it" if is_same else "more images arrived"
            self._records.moves.set_state(workitem_id, WorkitemState.CANCELLED, text)
            return False
        return item.state in UNFINISHED

    def is_to_be_written(self, workitem_id: str) -> bool:
        """Whether its result is wanted, after its module has run."""
        return self.is_wanted(workitem_id) and not self.is_put_back(workitem_id)

    def is_put_back(self, workitem_id: str) -> bool:
        """Whether it waits again: the server that computes its module was away."""
        return self._records.workitems.one(workitem_id).state is WorkitemState.SCHEDULED

    def _is_renewed(self, workitem_id: str) -> bool:
        """Whether it waits for a module that was replaced: then today's gets a workitem instead.

        Hilum was upgraded, or a model exchanged, since it was scheduled. A result names its model,
        so it cannot be that of another. The same holds for findings of another module that it was
        to be given: they are others now, or there are none. The gateway hands the new workitem to
        the workers.
        """
        item = self._records.workitems.one(workitem_id)
        used = self._composition.used_by(item)
        is_of_today = self._workitems.same.is_of_today(item)
        has_exams = self._workitems.earlier.still_here(item) == item.priors
        if is_of_today and used == item.used and has_exams:
            return False
        what = f"{item.module} {item.version}" if not is_of_today else "a result that it was to use"
        why = f"{what} was replaced before it had analysed these images"
        if is_of_today and not has_exams:
            why = "an earlier exam that it was to be given is no longer here as it was"
        if is_of_today and len(used) < len(item.used):
            why = f"without {', '.join(sorted({*item.used} - {*used}))}: there is no such result"
        new = self._workitems.repeated(item, self._clock(), why, used)
        self._records.corrections.repeat(item.id, new.id)
        lines = [(EventKind.SCHEDULED, f"{new.module} {new.version}: {why}")]
        self._records.workitems.schedule(new, lines)
        self._hints.send(Ready(new.id))
        self.is_wanted(workitem_id)
        return True

    def let_others_begin(self, item: Workitem, *, urgent: bool) -> None:
        """Have those begin that waited for the findings of `item`.

        If it is urgent, all that waits for a worker of the same study begins first. That is a few
        workitems, so those of other studies wait a little longer and not for ever.
        """
        if urgent:
            for other in self._records.workitems.of_study(item.study_uid):
                self.begin_first(other, f"{item.module} calls the study urgent")
        for other in self._composition.waiting_for(item):
            self._hints.send(Ready(other.id))
