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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hilum.comparison import Comparison
from hilum.config.site import Rule, Site
from hilum.engine import durable, exchange
from hilum.errors import MachineError, ModuleCancelled, ModuleError, ServerAway, where
from hilum.findings import Findings, Refusal, Urgency
from hilum.hosts import Host, Job, host_of
from hilum.inbox import Inbox
from hilum.inbox.room import with_room
from hilum.module import Module, facts_of, inputs_of, needs_of
from hilum.patients.corrections import Corrections
from hilum.processes.hints import HintSender, Written, gateway_address
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import UNFINISHED, WRITTEN, EventKind, WorkitemState
from hilum.study.arrival import Arrival
from hilum.study.arrivals import Arrivals
from hilum.study.assembly import Hold, NotApplicable, RuleDecision, Run, Wait
from hilum.study.not_run import NotRun, verdicts_of
from hilum.study.outbox import Outbox
from hilum.study.reviewing import Rules, unjudged
from hilum.study.routing import nearest_rule, whose
from hilum.study.runs import not_run_uid
from hilum.study.turns import Turns
from hilum.study.workitems import Workitems
from hilum.study.writing import Writer, recipients_of
from hilum.wording import counted

MOST_RUNS = 5  # a workitem whose analysis ended its worker more often is given up
MODULE_FAILED = "The analysis failed for a technical reason, which is on record."
AS_ASKED = ", because it was asked for"
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
    problems
        Why further modules cannot be used, by name.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        modules: Mapping[str, type[Module]],
        clock: Callable[[], float] = time.time,
        engine: durable.Engine = durable,
        name: str = "flow",
        problems: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name)
        self.clock = clock
        self.site = site
        self.records = records
        self.needs = {name: inputs_of(module) for name, module in modules.items()}
        self.facts = {name: facts_of(module) for name, module in modules.items()}
        self.inbox = Inbox(site.data)
        named = {name: needs_of(module) for name, module in modules.items()}
        self.workitems = Workitems(
            records, self.inbox, site.data, self.facts, named, clock, site.rule
        )
        self.own, self.composition = self.workitems.own, self.workitems.composition
        self.arrivals = Arrivals(self.inbox, records, self.own, clock)
        self.rules = Rules(site.rule, self.needs, problems or {}, self.workitems)
        self.corrections = Corrections(site, records, self.inbox, self.workitems)
        self.not_run = NotRun(records, self.workitems)
        self._hints = HintSender(gateway_address(site.data))
        self.turns = Turns(site, records, self.workitems, clock, engine, self._hints)
        self.writer = Writer(records, self.workitems, site.data)
        self.comparison = Comparison(site, records, self.workitems)
        offer = self.corrections.offer_filed
        self.outbox = Outbox(site, records, self.workitems, clock, offer=offer)
        self.hosts: dict[str, Host] = {}
        self._one_at_a_time = threading.Lock()

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
            why = unjudged(error)
            wait = why.seconds
            arrival.reason, arrival.patience = why.text, 0.0
            log.error("study %s %s", arrival.study_uid, why.text)
            if not why.is_of_the_machine:
                self.records.events.add(arrival.study_uid, EventKind.UNREADABLE, why.text)
        self.arrivals.reviewed(arrival, wait, max(0.0, self.clock() - began))

    def review_study(self, arrival: Arrival) -> float | None:
        """Follow every rule that applies; seconds to the next look, None once all is decided.

        A decided study stays open until it is silent, so that its remaining images cost nothing.
        """
        study = arrival.study()
        in_turn = self.rules.decisions(arrival, study, self.clock())
        waits = [decision for _rule, decision in in_turn if isinstance(decision, Wait)]
        if len(waits) < len(in_turn) and self.arrivals.catch_up(arrival):
            return 0.0
        for rule, decision in in_turn:
            self.follow(decision, rule, arrival)
        arrival.reason, arrival.patience = "", 0.0
        if waits:
            main = max(waits, key=lambda wait: (wait.has_series, wait.patience))
            arrival.reason, arrival.patience = main.what, main.patience
            return min(wait.seconds for wait in waits)
        if rest := self._rest(arrival, [rule for rule, _decision in in_turn]):
            return rest
        arrival.reason = "" if in_turn else nearest_rule(self.site.rule, study)
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
            self.not_run.note(rule, arrival, decision)

    # 2. Scheduling: one workitem per module, weights and set of images ----------------------------

    def schedule(
        self, rule: Rule, arrival: Arrival, run: Run, wanted: Workitem | None = None
    ) -> None:
        """Create the workitem, unless there is one already, and hand it to the workers.

        `wanted` is the one that a person or a worklist asked for.
        """
        item = wanted or self.workitems.run(rule, arrival, run)
        not_run = not_run_uid(arrival.study_uid, rule)
        if self.records.workitems.get(item.id):
            self.records.workitems.remove(not_run)
            return
        if hold := self.corrections.objection(arrival, run.selection):
            self.not_run.note(rule, arrival, hold)
            return
        if lack := self.workitems.lack(item):
            self.not_run.note(rule, arrival, NotApplicable(run.selection, lack))
            return
        self.corrections.subjects.remember(item, run.selection)
        caution = whose(run.selection, arrival.instances.values()).caution
        cautions = filter(None, (caution, *run.selection.lacks))
        why = f"{self.composition.told(item)}{AS_ASKED if wanted else ''}"
        if waits := self.workitems.hours.told(item, self.clock()):
            item, why = replace(item, reason=waits), f"{why}; it {waits}"
        lines = [
            (EventKind.COMPLETE, run.reason),
            *verdicts_of(run.selection),
            *((EventKind.IDENTITY, text) for text in cautions),
            *self.workitems.earlier.told(rule, run.selection),
            (EventKind.SCHEDULED, f"{item.module} {item.version}{why}"),
        ]
        self.records.workitems.schedule(item, lines, not_run)
        self.launch(item)

    def launch(self, item: Workitem) -> None:
        """Hand a workitem to the workers; doing so again changes nothing while they have it.

        What has to wait is handed over by a later sweep.
        """
        self.turns.hand_over(item, self.analyse)

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
                    if self.turns.is_to_be_written(workitem_id):
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
        move = self.records.moves.set_state
        text = f"{failure}; a refusal is written"
        try:
            if not move(workitem_id, WorkitemState.RUNNING, text):
                return
            self.refuse(self.records.workitems.one(workitem_id), failure)
            self.write(workitem_id)
        except durable.EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - not even that: it ends with the reason on record
            text = f"{failure}; no refusal could be written either: {where(error)}"
            move(workitem_id, WorkitemState.FAILED, text)

    def begin(self, workitem_id: str) -> bool:
        """Count the runs, also those repeated after a death of the worker; False to go no further.

        After `MOST_RUNS` deaths the module is not run again and a refusal is written; if even that
        ends the worker as often, nothing is.
        """
        if not self.turns.has_come(workitem_id):
            return False
        runs = self.records.workitems.count_run(workitem_id)
        if runs > 2 * MOST_RUNS:
            times = counted(runs - 1, "time")
            text = f"its worker died {times}, in the end while the refusal was written"
            self.records.moves.set_state(workitem_id, WorkitemState.FAILED, text)
            return False
        return True

    @durable.step
    def infer(self, workitem_id: str) -> None:
        """Run the module in its own process; its failure becomes a refusal a clinician can read."""
        item = self.records.workitems.one(workitem_id)
        self.workitems.require_files(item)
        text = f"{item.module} runs"
        self.records.moves.set_state(workitem_id, WorkitemState.RUNNING, text)
        if self.ends_workers(item):
            return
        if lack := self.workitems.lack(item):
            self.refuse(item, lack)
            return
        self.records.workitems.forget_failure(workitem_id)
        folder = self.workitems.result_folder(workitem_id)
        given = self.workitems.given(item)
        patient = self.records.identifiers.patient_of(item.study_uid)
        about = (item.study_uid, patient)
        job = Job(given, folder, item.weights_sha256, item.rule.parameters, *about)
        is_wanted = partial(self.turns.is_wanted, workitem_id)
        started = time.monotonic()
        try:
            host = self.host(item.module)
            with_room(self.site.data, lambda: host.run(job, is_wanted))
        except ModuleCancelled:
            return
        except ServerAway as error:
            log.warning("workitem %s: %s; it waits", workitem_id, error)
            self.records.moves.put_back(workitem_id, str(error))
            return
        except (MachineError, ModuleError) as error:
            log.error("workitem %s: module %s failed: %s", workitem_id, item.module, error)
            self.refuse(item, str(error))
            return
        seconds = time.monotonic() - started
        findings = exchange.summary(self.comparison.of(item))
        text = f"{counted(len(findings), 'finding')} in {seconds:.2f} s"
        self.records.workitems.note_findings(item, findings, text)

    def ends_workers(self, item: Workitem) -> bool:
        """Whether a workitem ended its worker too often; then a refusal is all that is written."""
        if item.runs <= MOST_RUNS:
            return False
        if not item.failure:
            self.refuse(item, f"its analysis ended its worker {MOST_RUNS} times")
        return True

    def refuse(self, item: Workitem, failure: str) -> None:
        """Put a refusal in the place of the findings; the reason is kept for the administrator."""
        findings = Findings((Refusal("module-failed", MODULE_FAILED),))
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
        written = self.writer.write(item, destinations)
        owed = [
            self.outbox.owed(workitem_id, d.name, d.variant, images_to[d.name], urgent=urgent)
            for d in destinations
        ]
        text = f"results written: {', '.join(written)}"
        self.records.moves.deliver(workitem_id, text, owed)
        self.outbox.settle(workitem_id)
        self._hints.send(Written())
        self.turns.let_others_begin(item, urgent=urgent)

    # 4. Delivery, in the gateway: see outbox.py ---------------------------------------------------

    # What the steps above stand on ----------------------------------------------------------------

    def host(self, module: str) -> Host:
        """Where `module` runs, opened when first asked for."""
        if module not in self.hosts:
            self.hosts[module] = host_of(self.site, module)
        return self.hosts[module]
