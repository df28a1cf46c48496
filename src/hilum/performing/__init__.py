"""Perform the steps of a worklist: claim one, have its study analysed, say what came of it.

Everything is written down before it is asked for, so a process that is killed at any moment goes on
with the step that it had: the worklist is told again, and what it then says shows what is true. The
analysis is one that anybody could ask for; here is only asked for it, and watched.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from hilum.config.kinds import WorklistSettings
from hilum.config.site import Site
from hilum.errors import SourceDelayed, SourceError
from hilum.performing.asked import ASKS_OTHERWISE, NOT_FOR_US, as_asked
from hilum.performing.finding import item_of
from hilum.performing.outputs import outputs_of
from hilum.performing.table import seen
from hilum.processes.hints import Asked, HintSender, gateway_address
from hilum.records import Records
from hilum.records.models.requests import Wish, WorklistStep
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    DELIVERED,
    STEPS_OPEN,
    UNFINISHED,
    RequestAction,
    StepState,
)
from hilum.worklists import (
    OfferedStep,
    PerformedStep,
    ProcedureStepState,
    StepAnswer,
    Worklist,
    open_worklist,
)

MOST_TURNS = len(StepState)  # of one step in one look; more would go round in circles
NOT_TAKEN = "the worklist does not take what it is told of the step: its log names the cause"
TAKEN_BY_ANOTHER = "another performer has taken the step"

log = logging.getLogger(__name__)


class Performer:
    """Performs the steps of one worklist. Call `turn` again and again, from one thread.

    Parameters
    ----------
    clock
        Gives the time in s since 1970.
    worklist
        Opened by the settings, unless one is given.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        settings: WorklistSettings,
        clock: Callable[[], float] = time.time,
        worklist: Worklist | None = None,
    ) -> None:
        self._site = site
        self._records = records
        self._settings = settings
        self._clock = clock
        self._worklist = worklist or open_worklist(settings)
        self.news = threading.Event()  # there is something to do before the next look
        self.subscriptions = threading.Event()  # there is something to hear before the next look
        self._subscribed: set[str] = set()
        self._heeded: set[str] = set()  # steps of which we know that somebody wants them canceled
        self._hints = HintSender(gateway_address(site.data))
        self._deeds: dict[StepState, Callable[[WorklistStep], WorklistStep]] = {
            StepState.WAITING: self._begin,
            StepState.CLAIMING: self._claim,
            StepState.CLAIMED: self._follow,
            StepState.COMPLETING: self._complete,
            StepState.CANCELLING: self._cancel,
        }

    def turn(self) -> None:
        """Look at the worklist once, and take every step as far as it goes.

        Raises
        ------
        SourceError
            The worklist does not answer as it should; what was done before stands.
        """
        offered = {step.uid: step for step in self._worklist.offered()}
        for one in offered.values():
            self._note_offered(one)
        for step in self._records.steps.open_of(self._settings.name):
            if step.state is not StepState.WAITING:
                self._advance(step)
            elif step.uid not in offered:
                self._note_gone(step)
            else:
                self._look_at_offer(step, offered[step.uid])

    def listen(self) -> None:
        """Note which steps somebody wants canceled, as long as the worklist tells it.

        Called from another thread than `turn`. Raises as that.
        """
        for uid in self._worklist.cancel_requests():
            if uid and self._records.steps.ask_cancel(self._settings.name, uid):
                self.news.set()

    def close(self) -> None:
        """End the connections."""
        self._worklist.close()
        self._hints.close()

    def _note_offered(self, one: OfferedStep) -> None:
        """Record a step that asks for one of our modules on one study."""
        module = self._settings.modules.get(one.key)
        if module is None or not one.study_uid:
            return
        new = WorklistStep(
            worklist=self._settings.name,
            uid=one.uid,
            study_uid=one.study_uid,
            module=module,
            code=one.code,
            state=StepState.WAITING,
            since=self._clock(),
        )
        self._records.steps.add(new, f"asks for {module}")

    def _look_at_offer(self, step: WorklistStep, one: OfferedStep) -> None:
        """Take a step that nobody has claimed further, as it is offered now."""
        if not (now := self._as_asked(step, one)):
            if not step.reason:
                self._noted(replace(step, reason=NOT_FOR_US), NOT_FOR_US)
        elif one.is_ready:
            self._advance(now)

    def _as_asked(self, step: WorklistStep, one: OfferedStep | None) -> WorklistStep | None:
        """The step with what it asks for by now, noted; None if that is not for us."""
        now = as_asked(step, one, self._settings.modules)
        if now is None or now is step:
            return now
        self._noted(step, ASKS_OTHERWISE)
        return self._noted(now, f"asks for {now.module}")

    def _note_gone(self, step: WorklistStep) -> None:
        if self._state(step) is not ProcedureStepState.SCHEDULED:
            self._lost(step, "the step can no longer be claimed")

    def _advance(self, step: WorklistStep) -> None:
        """Take a step as far as it goes now. What the worklist refuses of it stops no other."""
        try:
            for _ in range(MOST_TURNS):
                before, step = step.state, self._deeds[step.state](step)
                if step.state is before or step.state not in STEPS_OPEN:
                    return
        except SourceDelayed:
            raise
        except SourceError as error:
            self._note_problem(step, str(error))

    def _note_problem(self, step: WorklistStep, problem: str) -> WorklistStep:
        if step.problem == problem:
            return step
        log.warning("worklist %s, step %s: %s", step.worklist, step.uid, problem)
        return self._noted(replace(step, problem=problem), problem)

    def _noted(self, step: WorklistStep, text: str = "") -> WorklistStep:
        self._records.steps.note(step, text)
        return step

    def _moved(self, step: WorklistStep, state: StepState, text: str) -> WorklistStep:
        log.info("worklist %s, step %s: %s", step.worklist, step.uid, state)
        return self._noted(replace(step, state=state, since=self._clock(), problem=""), text)

    def _lost(self, step: WorklistStep, why: str) -> WorklistStep:
        return self._moved(replace(step, reason=why), StepState.LOST, why)

    def _given_up(self, step: WorklistStep, why: str) -> WorklistStep:
        return self._moved(replace(step, reason=why), StepState.CANCELLING, "")

    # One deed for each state, in the order in which they are reached ------------------------------

    def _begin(self, step: WorklistStep) -> WorklistStep:
        """Write down the Transaction UID by which it will be ours, once we can do what it asks."""
        if not (self._settings.archive or self._is_here(step)):
            return step
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        return self._moved(replace(step, transaction_uid=transaction_uid), StepState.CLAIMING, "")

    def _claim(self, step: WorklistStep) -> WorklistStep:
        """Claim it. After a crash it may be ours: then it takes what only its performer may say."""
        answer = self._worklist.claim(step.uid, step.transaction_uid)
        if answer is StepAnswer.CONFLICT:
            answer = self._worklist.report(step.uid, step.transaction_uid, 0, "")
        if answer is not StepAnswer.DONE:
            return self._lost(step, TAKEN_BY_ANOTHER)
        standing = self._worklist.standing(step.uid)  # from now on nobody else may change it
        asked = self._as_asked(step, standing.asked if standing else None)
        ours = replace(asked or step, began_at=self._clock())
        if asked is None:
            return self._given_up(ours, NOT_FOR_US)
        return self._moved(ours, StepState.CLAIMED, f"the step is ours: {ours.module} analyses")

    def _follow(self, step: WorklistStep) -> WorklistStep:
        """See how far our own work is, and tell it."""
        standing = self._worklist.standing(step.uid)
        if standing is None or standing.state is not ProcedureStepState.IN_PROGRESS:
            return self._stopped(step, standing.state if standing else None)
        self._subscribe(step)
        item = item_of(self._records, step)
        if step.cancel_asked or (standing.is_unwanted and step.uid not in self._heeded):
            return self._heed(step, item)
        if item is None:
            return self._prepare(step)
        if item.id != step.workitem_id:
            step = self._noted(replace(step, workitem_id=item.id))
        now = seen(item)
        if now.state is StepState.CLAIMED:
            return self._told(step, now.percent, now.text)
        return self._moved(replace(step, reason=now.text), now.state, "")

    def _heed(self, step: WorklistStep, item: Workitem | None) -> WorklistStep:
        """Stop our work because somebody at the worklist wants that, unless it is too late."""
        self._heeded.add(step.uid)
        text = "somebody at the worklist wants the step canceled"
        is_late = item is not None and item.state in DELIVERED
        if is_late:
            text = f"{text}, but the results are there already"
        if item is not None and item.asked and item.state in UNFINISHED:
            self._ask(RequestAction.CANCEL, item.id)
        heeded = self._noted(replace(step, cancel_asked=False), text)
        self._records.steps.heed_cancel(heeded)
        if item is None or not (item.asked or is_late):
            return self._given_up(heeded, text)
        return heeded

    def _complete(self, step: WorklistStep) -> WorklistStep:
        """Say what came of it."""
        answer = self._worklist.complete(step.uid, step.transaction_uid, self._performed(step))
        done = "the step is completed, and its results are named there"
        return self._ended(step, answer, ProcedureStepState.COMPLETED, done)

    def _cancel(self, step: WorklistStep) -> WorklistStep:
        """Say why nothing came of it."""
        performed = self._performed(step)
        told = (step.uid, step.transaction_uid, performed, step.reason)
        done = f"the step is canceled: {step.reason}"
        return self._ended(step, self._worklist.cancel(*told), ProcedureStepState.CANCELED, done)

    def _ended(
        self, step: WorklistStep, answer: StepAnswer, wanted: ProcedureStepState, text: str
    ) -> WorklistStep:
        """Note the end of a step. What it refuses may be so since before a crash."""
        state = wanted if answer is StepAnswer.DONE else self._state(step)
        if state is wanted:
            return self._moved(step, StepState(wanted.lower()), text)
        if state is ProcedureStepState.IN_PROGRESS:
            return self._note_problem(step, NOT_TAKEN)
        return self._lost(step, f"the worklist has ended the step: {state or 'it is gone'}")

    # What they need -------------------------------------------------------------------------------

    def _state(self, step: WorklistStep) -> ProcedureStepState | None:
        standing = self._worklist.standing(step.uid)
        return standing.state if standing else None

    def _subscribe(self, step: WorklistStep) -> None:
        """Have events of a step told; after a start once more, as nobody says what we had."""
        if step.uid not in self._subscribed:
            self._worklist.subscribe(step.uid)
            self._subscribed.add(step.uid)
            self.subscriptions.set()

    def _told(self, step: WorklistStep, percent: int, text: str) -> WorklistStep:
        """Tell how far it is, if that is news."""
        if step.told == text:
            return step
        if self._worklist.report(step.uid, step.transaction_uid, percent, text) is StepAnswer.DONE:
            return self._noted(replace(step, told=text, problem=""))
        return self._note_problem(step, NOT_TAKEN)

    def _stopped(self, step: WorklistStep, state: ProcedureStepState | None) -> WorklistStep:
        """Stop what was begun for a step that is not ours any longer."""
        item = item_of(self._records, step)
        if item is not None and item.asked and item.state in UNFINISHED and step.analysis:
            self._ask(RequestAction.CANCEL, item.id)
        return self._lost(step, f"the worklist has ended the step: {state or 'it is gone'}")

    def _prepare(self, step: WorklistStep) -> WorklistStep:
        """Have the images fetched if they are not here, then have them analysed."""
        if not self._is_here(step):
            return self._fetch(step)
        if step.analysis is None:
            wish = Wish(module=step.module, destinations=self._settings.send_to)
            number = self._ask(RequestAction.ANALYSE, "", step.study_uid, wish)
            return self._told(self._noted(replace(step, analysis=number)), 5, "begins")
        return self._unless_refused(step, step.analysis)

    def _fetch(self, step: WorklistStep) -> WorklistStep:
        if step.fetch is None:
            if not self._settings.archive:
                return self._without_images(step)
            wish = Wish(archive=self._settings.archive)
            number = self._ask(RequestAction.FETCH, "", step.study_uid, wish)
            return self._told(self._noted(replace(step, fetch=number)), 0, "the images are fetched")
        if self._records.studies.get(step.study_uid):
            return step
        return self._unless_refused(step, step.fetch)

    def _without_images(self, step: WorklistStep) -> WorklistStep:
        """More of them come, or all of them were removed."""
        if not self._records.studies.removal(step.study_uid):
            return step
        return self._given_up(step, "its images were removed here before they were analysed")

    def _unless_refused(self, step: WorklistStep, number: int) -> WorklistStep:
        """The step as it is, unless the gateway refuses what was asked for it."""
        asked = self._records.requests.one(number)
        if asked.answer is None or asked.done:
            return step
        return self._given_up(step, asked.answer)

    def _ask(
        self, action: RequestAction, workitem_id: str, study_uid: str = "", wish: Wish | None = None
    ) -> int:
        number = self._records.requests.add(
            action, workitem_id, study_uid=study_uid, wish=wish or Wish()
        )
        self._hints.send(Asked())
        return number

    def _is_here(self, step: WorklistStep) -> bool:
        """Whether the images are here, and all rules have decided on them that can."""
        study = self._records.studies.get(step.study_uid)
        is_decided = study is not None and study.decided_images > 0
        return is_decided and self._records.studies.removal(step.study_uid) is None

    def _performed(self, step: WorklistStep) -> PerformedStep:
        now = self._clock()
        item = item_of(self._records, step) if step.state is StepState.COMPLETING else None
        outputs = outputs_of(self._site, self._records, item) if item else ()
        station, began_at = self._settings.station, step.began_at or now
        return PerformedStep(step.code, station, began_at, now, outputs)
