"""THE FILE TO READ FIRST: one study, from its last image to the verified result in the PACS.

    Source -> Instance -> Arrivals -> Study -> Rule -> Workitem -> Module.run -> findings
           -> objects.write -> Destination.send -> verified

The order of the methods is the order in which things happen. `review` to `schedule` run in the
gateway, `analyse` in a worker; the deliveries (outbox.py) run in the gateway again. A workflow
survives the death of its process: it goes on after the last finished step. Only ids pass between
steps; images, findings and results lie on disk.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from hilum.arrivals import Arrivals
from hilum.assembly import (
    Arrival,
    Hold,
    NotApplicable,
    RuleDecision,
    Run,
    Wait,
    decide,
    is_same_reason,
)
from hilum.away import Away
from hilum.comparison import Comparison
from hilum.config.kinds import STANDARD_OBJECTS
from hilum.config.site import Rule, Site
from hilum.corrections import Corrections
from hilum.engine import durable, exchange
from hilum.errors import ModuleCancelled, ModuleError, ServerAway, where
from hilum.findings import Findings, Refusal, Urgency
from hilum.hints import HintSender, Ready, Written, gateway_address, wake_workers
from hilum.hosts import Host, Job, host_of
from hilum.inbox import Inbox
from hilum.inbox.room import with_room
from hilum.module import Module, facts_of, inputs_of, needs_of
from hilum.outbox import Outbox
from hilum.records import Records
from hilum.records.models import Workitem
from hilum.records.own import own_results
from hilum.records.states import (
    ENDED,
    UNFINISHED,
    WRITTEN,
    EventKind,
    PausedKind,
    WorkitemState,
)
from hilum.routing import Selection, applies, nearest_rule, whose
from hilum.runs import not_run_uid
from hilum.wording import counted
from hilum.workitems import Workitems
from hilum.writing import Wanted, Writer, recipients_of, wanted_by

MOST_VERDICTS = 200  # lines in the trace of one decision
MOST_RUNS = 5  # a workitem whose analysis ended its worker more often is given up
UNJUDGED_SECONDS = 3600.0  # before a study that raised an error is looked at again
FOR_NOBODY: dict[str, Wanted] = {"": (STANDARD_OBJECTS, "binary", "outlines", {})}
BY_A_PERSON = ", because a person asked for it"
SETTLED_QUIET_SECONDS = 8.0  # silence after which a study that no rule wants is closed

log = logging.getLogger(__name__)


@durable.workflows
class Flow(durable.Workflows):
    """Everything that happens to a study.

    Parameters
    ----------
    modules
        The installed classes by name.
    clock
        Gives the time in s since 1970; tests let hours pass.
    engine
        Runs what is handed to the workers.
    name
        Of this instance in DBOS, which allows each once in a process.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        modules: Mapping[str, type[Module]],
        clock: Callable[[], float] = time.time,
        engine: durable.Engine = durable,
        name: str = "flow",
    ) -> None:
        super().__init__(name)
        self.clock = clock
        self._engine = engine
        self.site = site
        self.records = records
        self.needs = {name: inputs_of(module) for name, module in modules.items()}
        self.facts = {name: facts_of(module) for name, module in modules.items()}
        self.inbox = Inbox(site.data)
        self.own = own_results(records, self.facts.values())
        self.arrivals = Arrivals(self.inbox, records, self.own, clock)
        of_rules = frozenset(rule.key for rule in site.rule)
        self.workitems = Workitems(
            records,
            self.inbox,
            site.data,
            self.facts,
            {name: needs_of(module) for name, module in modules.items()},
            clock,
            of_rules,
        )
        self.composition = self.workitems.composition
        self.corrections = Corrections(site, records, self.inbox, self.workitems)
        self.writer = Writer(records, self.workitems, site.data)
        self.comparison = Comparison(site, records, self.workitems)
        offer = self.corrections.offer_filed
        self.outbox = Outbox(site, records, self.workitems, clock, offer=offer)
        self.hosts: dict[str, Host] = {}
        self.away = Away(clock)
        self._one_at_a_time = threading.Lock()
        self._hints = HintSender(gateway_address(site.data))

    # 1. Arrival: is there enough to decide? -------------------------------------------------------

    def review(self) -> None:
        """Decide on every open study that has news, rule by rule; called many times a second."""
        for arrival in self.arrivals.due(self.clock()):
            self.look_at(arrival)

    def look_at(self, arrival: Arrival) -> None:
        """Decide on one open study, and when to look at it again."""
        began = self.clock()
        try:
            wait = self.review_study(arrival)
        except Exception as error:  # noqa: BLE001 - one odd study must not stop the others
            wait = UNJUDGED_SECONDS
            text = f"cannot be judged: {where(error)}"
            arrival.reason, arrival.patience = text, 0.0
            self.records.events.add(arrival.study_uid, EventKind.UNREADABLE, text)
            log.error("study %s %s", arrival.study_uid, text)
        self.arrivals.reviewed(arrival, wait, max(0.0, self.clock() - began))

    def review_study(self, arrival: Arrival) -> float | None:
        """Follow every rule that applies; seconds to the next look, None once all is decided.

        A decided study stays open until it is silent, so that its remaining images cost nothing.
        """
        study = arrival.study()
        rules = [rule for rule in self.site.rule if applies(rule, study)]
        now = self.clock()
        decisions = [decide(arrival, self.needs[rule.module], rule, now) for rule in rules]
        in_turn = self.composition.in_turn(rules, decisions)
        waits = [decision for _rule, decision in in_turn if isinstance(decision, Wait)]
        if len(waits) < len(rules) and self.arrivals.catch_up(arrival):
            return 0.0
        for rule, decision in in_turn:
            self.follow(decision, rule, arrival)
        arrival.reason, arrival.patience = "", 0.0
        if waits:
            main = max(waits, key=lambda wait: (wait.has_series, wait.patience))
            arrival.reason, arrival.patience = main.what, main.patience
            return min(wait.seconds for wait in waits)
        if rest := self._rest(arrival, rules):
            return rest
        arrival.reason = "" if rules else nearest_rule(self.site.rule, study)
        return None

    def _rest(self, arrival: Arrival, rules: Sequence[Rule]) -> float:
        """Seconds until a decided study counts as silent; 0 if it does."""
        quiet = max((rule.study_quiet_seconds for rule in rules), default=SETTLED_QUIET_SECONDS)
        return max(0.0, quiet - (self.clock() - arrival.last))

    def sweep(self) -> None:
        """Find what no hint told of, and hand over again what the engine does not work on."""
        self.arrivals.sweep()
        self.corrections.sweep()
        for item in self.records.workitems.in_state(*UNFINISHED):
            self.launch(item)
        for item in self.records.workitems.in_state(*WRITTEN):
            self.outbox.settle(item.id)
        self.outbox.hear_commitments()

    def follow(self, decision: RuleDecision, rule: Rule, arrival: Arrival) -> None:
        """Do what was decided on one study for one rule."""
        if isinstance(decision, Run):
            self.schedule(rule, arrival, decision)
        elif isinstance(decision, Hold | NotApplicable):
            self.note_not_run(rule, arrival, decision)

    # 2. Scheduling: one workitem per module, weights and set of images ----------------------------

    def schedule(
        self, rule: Rule, arrival: Arrival, run: Run, wanted: Workitem | None = None
    ) -> None:
        """Create the workitem, unless there is one already, and hand it to the workers.

        `wanted` is the one that a person asked for.
        """
        item = wanted or self.workitems.run(rule, arrival, run)
        not_run = not_run_uid(arrival.study_uid, rule)
        if self.records.workitems.get(item.id):
            self.records.workitems.remove(not_run)
            return
        if hold := self.corrections.objection(arrival, run.selection):
            self.note_not_run(rule, arrival, hold)
            return
        if lack := self.composition.lack(item.module, item.used):
            self.note_not_run(rule, arrival, NotApplicable(run.selection, lack))
            return
        self.corrections.remember(item.id, arrival.study_uid, run.selection)
        caution = whose(run.selection, arrival.instances.values()).caution
        cautions = filter(None, (caution, *run.selection.lacks))
        why = f"{self.composition.told(item)}{BY_A_PERSON if wanted else ''}"
        lines = [
            (EventKind.COMPLETE, run.reason),
            *_verdicts(run.selection),
            *((EventKind.IDENTITY, text) for text in cautions),
            (EventKind.SCHEDULED, f"{item.module} {item.version}{why}"),
        ]
        self.records.workitems.schedule(item, lines, not_run)
        self.launch(item)

    def launch(self, item: Workitem) -> None:
        """Hand a workitem to the workers; doing so again changes nothing while they have it.

        It waits while a person has disabled its module, for findings of another one, and for a
        server that is away. The sweep after that hands it over.
        """
        if self.waits(item) or self.away.holds(item):
            return
        launch = item.launch
        # Where the workflow is over and the workitem is not, the engine gave up.
        if self._engine.is_over(f"{item.id}.{launch}"):
            if self.records.workitems.one(item.id).state not in UNFINISHED:
                return  # it has ended meanwhile
            launch = self.records.workitems.count_launch(item.id)
        priority = durable.PRIORITIES[item.rule.priority]
        workflow = f"{item.id}.{launch}"
        self._engine.enqueue(durable.ANALYSE, self.analyse, workflow, item.id, priority)
        wake_workers(self.site.data)

    def note_not_run(self, rule: Rule, arrival: Arrival, why: Hold | NotApplicable) -> None:
        """Record, once, why a module was not run on a study.

        One that is held after a run is noted: the result on fewer images stands, and that it does
        not show the whole series must be seen.
        """
        shows_gap = isinstance(why, Hold) and not arrival.removed  # what was removed is no gap
        if not shows_gap and self.records.workitems.last_run(arrival.study_uid, rule.key):
            return
        if self._is_analysed_all_the_same(rule, arrival, why.selection):
            return
        item = self.workitems.not_run(rule, arrival, why)
        known = self.records.workitems.get(item.id)
        if known and known.state is item.state and is_same_reason(known.reason, item.reason):
            return
        lines = [*_verdicts(why.selection), (EventKind(item.state), item.reason)]
        self.records.workitems.note_not_run(item, lines)

    def _is_analysed_all_the_same(self, rule: Rule, arrival: Arrival, selection: Selection) -> bool:
        """Whether a person had these very images analysed although the series is short."""
        if not selection.complete:
            return False
        known = self.records.workitems.get(self.workitems.run(rule, arrival, Run(selection, "")).id)
        return known is not None and bool(known.incomplete) and known.state not in ENDED

    # 3. Analysis, in a worker ---------------------------------------------------------------------

    @durable.workflow
    def analyse(self, workitem_id: str) -> None:
        """Run the module, write the result objects, owe them to the destinations."""
        # The engine counts what it has begun a moment late, and may begin a second one meanwhile:
        # two at once would talk to one module, and each could get what belongs to the other.
        with self._one_at_a_time:
            try:
                if self.begin(workitem_id):
                    self.infer(workitem_id)
                    if self.is_wanted(workitem_id) and not self.is_put_back(workitem_id):
                        self.write(workitem_id)
            except durable.EngineError:
                raise
            except Exception as error:  # noqa: BLE001 - around one workitem: others go on
                self.fail(workitem_id, where(error))

    def fail(self, workitem_id: str, failure: str) -> None:
        """Write a refusal in place of a result after an unforeseen error.

        Nothing is changed of a result that is owed to the destinations, or was cancelled.
        """
        log.error("workitem %s: %s", workitem_id, failure)
        items = self.records.workitems
        text = f"{failure}; a refusal is written"
        try:
            if not items.set_state(workitem_id, WorkitemState.RUNNING, text):
                return
            self.refuse(items.one(workitem_id), failure)
            self.write(workitem_id)
        except durable.EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - not even that: it ends with the reason on record
            text = f"{failure}; no refusal could be written either: {where(error)}"
            items.set_state(workitem_id, WorkitemState.FAILED, text)

    def begin(self, workitem_id: str) -> bool:
        """Count the runs, also those repeated after a death of the worker; False to go no further.

        After `MOST_RUNS` deaths the module is not run again and a refusal is written; if even that
        ends the worker as often, nothing is.
        """
        if not self.is_wanted(workitem_id):
            return False
        if self.waits(self.records.workitems.one(workitem_id)):
            return False  # the sweep hands it over again
        if self.is_renewed(workitem_id):
            return False
        runs = self.records.workitems.count_run(workitem_id)
        if runs > 2 * MOST_RUNS:
            times = counted(runs - 1, "time")
            text = f"its worker died {times}, in the end while the refusal was written"
            self.records.workitems.set_state(workitem_id, WorkitemState.FAILED, text)
            return False
        return True

    def waits(self, item: Workitem) -> bool:
        """Whether a person has disabled its module before it began, or other findings are to come.

        What has begun is finished.
        """
        if item.state is not WorkitemState.SCHEDULED:
            return False
        disabled = self.records.pauses.get(PausedKind.MODULE, item.module)
        return disabled is not None or self.composition.waits(item)

    def is_renewed(self, workitem_id: str) -> bool:
        """Whether it waits for a module that was replaced: then today's gets a workitem instead.

        Hilum was upgraded, or a model exchanged, since it was scheduled. A result names its model,
        so it cannot be that of another. The same holds for findings of another module that it was
        to be given: they are others now, or there are none. The gateway hands the new workitem to
        the workers.
        """
        item = self.records.workitems.one(workitem_id)
        used = self.composition.used_by(item)
        is_of_today = self.workitems.is_of_today(item)
        if is_of_today and used == item.used:
            return False
        what = f"{item.module} {item.version}" if not is_of_today else "a result that it was to use"
        why = f"{what} was replaced before it had analysed these images"
        if is_of_today and len(used) < len(item.used):
            why = f"without {', '.join(sorted({*item.used} - {*used}))}: there is no such result"
        new = self.workitems.repeated(item, self.clock(), why, used)
        self.records.corrections.repeat(item.id, new.id)
        lines = [(EventKind.SCHEDULED, f"{new.module} {new.version}: {why}")]
        self.records.workitems.schedule(new, lines)
        self._hints.send(Ready(new.id))
        self.is_wanted(workitem_id)
        return True

    def is_wanted(self, workitem_id: str) -> bool:
        """False if it has ended, a person cancelled it, or another run has replaced it."""
        item = self.records.workitems.one(workitem_id)
        if item.superseded_by:
            newer = self.records.workitems.get(item.superseded_by)
            is_same = newer is not None and newer.inputs == item.inputs
            text = "another run replaces it" if is_same else "more images arrived"
            self.records.workitems.set_state(workitem_id, WorkitemState.CANCELLED, text)
            return False
        return item.state in UNFINISHED

    @durable.step
    def infer(self, workitem_id: str) -> None:
        """Run the module in its own process; its failure becomes a refusal a clinician can read."""
        item = self.records.workitems.one(workitem_id)
        self.workitems.require_files(item)
        text = f"{item.module} runs"
        self.records.workitems.set_state(workitem_id, WorkitemState.RUNNING, text)
        if self.ends_workers(item):
            return
        if lack := self.composition.lack(item.module, item.used):
            self.refuse(item, lack)
            return
        self.records.workitems.forget_failure(workitem_id)
        folder = self.workitems.result_folder(workitem_id)
        parts = {**self.workitems.parts(item), **self.composition.parts(item)}
        job = Job(parts, folder, item.weights_sha256, item.rule.parameters)
        started = time.monotonic()
        try:
            host = self.host(item.module)
            with_room(self.site.data, lambda: host.run(job, lambda: self.is_wanted(workitem_id)))
        except ModuleCancelled:
            return
        except ServerAway as error:
            log.warning("workitem %s: %s; it waits", workitem_id, error)
            self.records.workitems.put_back(workitem_id, str(error))
            return
        except ModuleError as error:
            log.error("workitem %s: module %s failed: %s", workitem_id, item.module, error)
            self.refuse(item, str(error))
            return
        seconds = time.monotonic() - started
        findings = exchange.summary(self.comparison.of(item))
        text = f"{counted(len(findings), 'finding')} in {seconds:.2f} s"
        self.records.workitems.note_findings(item, findings, text)

    def is_put_back(self, workitem_id: str) -> bool:
        """Whether it waits again: the server that computes its module was away."""
        return self.records.workitems.one(workitem_id).state is WorkitemState.SCHEDULED

    def ends_workers(self, item: Workitem) -> bool:
        """Whether a workitem ended its worker too often; then a refusal is all that is written."""
        if item.runs <= MOST_RUNS:
            return False
        if not item.failure:
            self.refuse(item, f"its analysis ended its worker {MOST_RUNS} times")
        return True

    def refuse(self, item: Workitem, failure: str) -> None:
        """Put a refusal in the place of the findings; the reason is kept for the administrator."""
        text = "The analysis failed for a technical reason, which is on record."
        findings = Findings((Refusal("module-failed", text),))
        folder = self.workitems.result_folder(item.id)
        with_room(self.site.data, lambda: exchange.save(findings, folder))
        self.records.workitems.note_failure(item, exchange.summary(findings), failure)

    @durable.step
    def write(self, workitem_id: str) -> None:
        """Write the result objects in every way asked for, and owe them to destinations."""
        item = self.records.workitems.one(workitem_id)
        self.ends_workers(item)
        found = exchange.load(self.workitems.result_folder(workitem_id))
        refused, told = found.refusal is not None, exchange.summary(found)
        images_to = recipients_of(self.site, self.records, item, refused, told)
        urgent = bool(found.of(Urgency))
        destinations = self.site.destinations(tuple(images_to))
        variants = {d.variant: wanted_by(d) for d in destinations}
        written = self.writer.write(item, variants or FOR_NOBODY)
        owed = [
            self.outbox.owed(workitem_id, d.name, d.variant, images_to[d.name], urgent=urgent)
            for d in destinations
        ]
        text = f"results written: {', '.join(written)}"
        self.records.workitems.deliver(workitem_id, text, owed)
        self.outbox.settle(workitem_id)
        self._hints.send(Written())
        if urgent:
            self.hasten_others(item)
        for other in self.composition.waiting_for(item):
            self._hints.send(Ready(other.id))

    def hasten_others(self, item: Workitem) -> None:
        """Have what waits for a worker of the same study begin first: its result is urgent.

        That is a few workitems, so those of other studies wait a little longer and not for ever.
        """
        for other in self.records.workitems.of_study(item.study_uid):
            if other.state is WorkitemState.SCHEDULED:
                first = durable.PRIORITIES["STAT"]
                if self._engine.hasten(f"{other.id}.{other.launch}", first):
                    text = f"begins first, because {item.module} calls the study urgent"
                    self.records.events.add(item.study_uid, EventKind.SCHEDULED, text, other.id)

    # 4. Delivery, in the gateway: see outbox.py ---------------------------------------------------

    # What the steps above stand on ----------------------------------------------------------------

    def host(self, module: str) -> Host:
        """Where `module` runs, opened when first asked for."""
        if module not in self.hosts:
            self.hosts[module] = host_of(self.site, module)
        return self.hosts[module]


def _verdicts(selection: Selection) -> Iterator[tuple[EventKind, str]]:
    """What was decided about each series, for the trace; the chosen ones first."""
    for text in selection.reasons[:MOST_VERDICTS]:
        yield EventKind.SERIES, text
    if (more := len(selection.reasons) - MOST_VERDICTS) > 0:
        yield EventKind.SERIES, f"rejected: {more} more series or volumes"
