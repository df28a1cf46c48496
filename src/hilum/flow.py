"""THE FILE TO READ FIRST: one study, from its last image to the verified result in the PACS.

    Source -> Instance -> Arrivals -> Study -> Rule -> Workitem -> Module.run -> findings
           -> objects.write -> Destination.send -> verified

The order of the methods is the order in which things happen. `arrived` to `schedule` run in the
gateway, `analyse` in a worker, `deliver` in the gateway again. A workflow survives the death of its
process: it goes on after the last finished step. Only ids pass between steps; images, findings and
results lie on disk.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hilum import records as tables
from hilum.arrivals import Arrivals
from hilum.assembly import Arrival, Hold, NotApplicable, Run, Wait, decide
from hilum.config import Destination, Rule, Site
from hilum.destinations import open_destination
from hilum.engine import durable, exchange
from hilum.engine.host import Job, ModelHost
from hilum.errors import (
    ConfigurationError,
    DeliveryDelayed,
    DeliveryRefused,
    ModuleError,
    where,
)
from hilum.findings import Findings, Refusal
from hilum.inbox import Inbox
from hilum.module import Module, facts_of, inputs_of
from hilum.objects import KINDS, Encoding, write_objects
from hilum.records import Records, State
from hilum.room import with_room
from hilum.routing import applies, recipients
from hilum.workitems import Workitems

READ_BACK_PAUSES = (0.0, 0.1, 0.3, 1.0, 3.0)  # an archive may need a moment to index
FIRST_RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 1800.0
SETTLED_QUIET_SECONDS = 8.0  # silence after which a study that no rule wants is closed

log = logging.getLogger(__name__)


@durable.workflows
class Flow(durable.Workflows):
    """Everything that happens to a study. `modules` are the installed classes by name."""

    def __init__(self, site: Site, records: Records, modules: Mapping[str, type[Module]]) -> None:
        super().__init__("flow")
        self.site = site
        self.records = records
        self.needs = {name: inputs_of(module) for name, module in modules.items()}
        self.facts = {name: facts_of(module) for name, module in modules.items()}
        self.inbox = Inbox(site.data)
        self.arrivals = Arrivals(self.inbox, records)
        self.workitems = Workitems(records, self.inbox, site.data, self.facts)
        self.hosts: dict[str, ModelHost] = {}

    # 1. Arrival: is there enough to decide? -------------------------------------------------------

    def review(self) -> None:
        """Decide on every open study that has news, rule by rule; called many times a second."""
        for arrival in self.arrivals.due(time.time()):
            try:
                wait = self.review_study(arrival)
            except Exception as error:  # noqa: BLE001 - one odd study must not stop the others
                wait = None
                text = f"cannot be judged: {where(error)}"
                self.records.add_event(arrival.study_uid, "unreadable", text)
                log.error("study %s %s", arrival.study_uid, text)
            self.arrivals.reviewed(arrival, wait)

    def review_study(self, arrival: Arrival) -> float | None:
        """Follow every rule that applies; seconds to the next look, None once all is decided.

        A decided study stays open until it is silent, so that its remaining images cost nothing.
        """
        study = arrival.study()
        rules = [rule for rule in self.site.rule if applies(rule, study)]
        decisions = [self.decide_rule(rule, arrival) for rule in rules]
        waits = [decision.seconds for decision in decisions if isinstance(decision, Wait)]
        if waits:
            return min(waits)
        quiet = max((rule.study_quiet_seconds for rule in rules), default=SETTLED_QUIET_SECONDS)
        rest = quiet - (time.time() - arrival.last)
        return rest if rest > 0 else None

    def sweep(self) -> None:
        """Find what no hint told of, and schedule again what a crash left between two lines."""
        self.arrivals.sweep()
        for row in self.records.find(tables.workitem, state=State.SCHEDULED.value):
            self.enqueue_analysis(row["id"], Rule.model_validate(row["rule"]))

    def decide_rule(self, rule: Rule, arrival: Arrival) -> Run | Wait | Hold | NotApplicable:
        """Follow one rule for one study, as far as its images allow."""
        decision = decide(arrival, self.needs[rule.module], rule, time.time())
        if isinstance(decision, Run):
            self.schedule(rule, arrival, decision)
        elif isinstance(decision, Hold | NotApplicable):
            self.note_outcome(rule, arrival, decision)
        return decision

    # 2. Scheduling: one workitem per module, weights and set of images ----------------------------

    def schedule(self, rule: Rule, arrival: Arrival, run: Run) -> None:
        """Create the workitem, or find it, and hand it to the workers."""
        inputs = {
            name: sorted(i.path.name for series in chosen for i in series.instances)
            for name, chosen in run.selection.chosen.items()
        }
        workitem_id = self.workitems.id_of_run(arrival, rule, inputs)
        before = self.workitems.last_run(arrival.study_uid, rule, but=workitem_id)
        is_new = self.records.put(
            tables.workitem,
            **self.workitems.new_row(workitem_id, rule, arrival, run.selection.verdicts),
            state=State.SCHEDULED.value,
            reason=run.reason,
            inputs=inputs,
            incomplete=run.incomplete,
            predecessor=before,
        )
        if not is_new:
            return
        without_run = self.workitems.id_without_run(arrival.study_uid, rule)
        self.records.remove(tables.workitem, id=without_run)
        if before:
            self.records.change(tables.workitem, {"id": before}, superseded_by=workitem_id)
        self.records.add_event(arrival.study_uid, "complete", run.reason, workitem_id)
        for verdict in run.selection.reasons:
            self.records.add_event(arrival.study_uid, "series", verdict, workitem_id)
        module = self.facts[rule.module]
        self.records.add_event(
            arrival.study_uid, "scheduled", f"{module.name} {module.version}", workitem_id
        )
        self.enqueue_analysis(workitem_id, rule)

    def enqueue_analysis(self, workitem_id: str, rule: Rule) -> None:
        """Hand a workitem to the workers; doing so again changes nothing."""
        durable.enqueue(
            durable.ANALYSE,
            self.analyse,
            workitem_id,
            workitem_id,
            priority=durable.PRIORITIES[rule.priority],
        )

    def note_outcome(self, rule: Rule, arrival: Arrival, outcome: Hold | NotApplicable) -> None:
        """Record, once, why a module was not run on a study."""
        if self.workitems.last_run(arrival.study_uid, rule):
            return
        state = State.HELD if isinstance(outcome, Hold) else State.NOT_APPLICABLE
        workitem_id = self.workitems.id_without_run(arrival.study_uid, rule)
        row = self.workitems.new_row(workitem_id, rule, arrival, outcome.selection.verdicts)
        values = {**row, "state": state.value, "reason": outcome.reason, "inputs": {}}
        is_new = self.records.put(tables.workitem, **values)
        known = self.records.one(tables.workitem, id=workitem_id)
        if is_new or known["state"] != state.value:
            self.records.change(tables.workitem, {"id": workitem_id}, **values)
            for verdict in outcome.selection.reasons:
                self.records.add_event(arrival.study_uid, "series", verdict, workitem_id)
            self.records.add_event(arrival.study_uid, state.value, outcome.reason, workitem_id)

    # 3. Analysis, in a worker ---------------------------------------------------------------------

    @durable.workflow
    def analyse(self, workitem_id: str) -> None:
        """Run the module, write the result objects, hand them to the deliveries."""
        try:
            if not self.is_current(workitem_id):
                return
            self.infer(workitem_id)
            if not self.is_current(workitem_id):
                return
            destinations = self.write(workitem_id)
        except durable.EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - around one workitem: it ends, others go on
            self.give_up(workitem_id, State.FAILED, where(error))
            return
        for destination in destinations:
            self.enqueue_delivery(workitem_id, destination)

    @durable.step
    def is_current(self, workitem_id: str) -> bool:
        """False if a run on more images has replaced this one; then nothing of it is sent."""
        row = self.records.one(tables.workitem, id=workitem_id)
        if row["superseded_by"]:
            self.records.set_state(workitem_id, State.CANCELLED, "more images arrived")
            return False
        return True

    @durable.step
    def infer(self, workitem_id: str) -> None:
        """Run the module in its own process; its failure becomes a refusal a clinician can read."""
        row = self.records.one(tables.workitem, id=workitem_id)
        self.workitems.require_files(row)
        self.records.set_state(workitem_id, State.RUNNING, f"{row['module']} runs")
        self.records.change(tables.workitem, {"id": workitem_id}, failure=None)
        folder = self.workitems.result_folder(workitem_id)
        started = time.monotonic()
        try:
            job = Job(self.workitems.images(row), folder, row["weights_sha256"])
            with_room(self.site.data, lambda: self.host(row["module"]).run(job))
        except ModuleError as error:
            self.records.change(tables.workitem, {"id": workitem_id}, failure=str(error))
            self.records.add_event(row["study_uid"], "failed", str(error), workitem_id)
            refusal = Refusal(
                "module-failed", "The analysis failed for a technical reason; it is on record."
            )
            with_room(self.site.data, lambda: exchange.save(Findings((refusal,)), folder))
        findings = exchange.summary(exchange.load(folder))
        self.records.change(tables.workitem, {"id": workitem_id}, findings=findings)
        self.records.add_event(
            row["study_uid"],
            "analysed",
            f"{len(findings)} findings in {time.monotonic() - started:.2f} s",
            workitem_id,
        )

    @durable.step
    def write(self, workitem_id: str) -> list[str]:
        """Write the result objects of every encoding asked for; return the destinations."""
        row = self.records.one(tables.workitem, id=workitem_id)
        analysis = self.workitems.analysis(row)
        refused = analysis.findings.refusal is not None
        images_to = recipients(self.site, Rule.model_validate(row["rule"]), refused)
        destinations = self.site.destinations(tuple(images_to))
        written: set[str] = set()
        variants: set[tuple[tuple[str, ...], Encoding]]
        variants = {(d.objects, d.segmentation) for d in destinations} or {(KINDS, "auto")}
        for kinds, encoding in sorted(variants):
            for kind, dataset in write_objects(analysis, kinds, encoding):
                self.workitems.keep(workitem_id, kind, dataset, ",".join((*kinds, encoding)))
                written.add(kind)
        for destination in destinations:
            self.workitems.owe(
                workitem_id, destination.name, variant_of(destination), images_to[destination.name]
            )
        self.records.set_state(
            workitem_id,
            State.DELIVERING,
            f"results written: {', '.join(sorted(written))}",
            kind="written",
        )
        if not destinations:
            self.finish(workitem_id)
        return [destination.name for destination in destinations]

    # 4. Delivery: verified means the destination showed it to us ----------------------------------

    @durable.workflow
    def deliver(self, workitem_id: str, destination: str, attempt: int) -> None:
        """One attempt; a delayed one is repeated later by a workflow of its own, for days."""
        try:
            outcome = self.hand_over(workitem_id, destination, attempt)
        except durable.EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - around one workitem: it ends, others go on
            self.give_up(workitem_id, State.PARKED, f"{destination}: {where(error)}")
            return
        if outcome == "delayed":
            pause = retry_seconds(attempt)
            self.enqueue_delivery(workitem_id, destination, attempt + 1, pause)

    @durable.step
    def hand_over(self, workitem_id: str, destination: str, attempt: int) -> str:
        """Send what the destination does not show yet, then read back; return the outcome."""
        state = State(self.records.one(tables.workitem, id=workitem_id)["state"])
        if state is State.WITHDRAWN:
            text = f"{destination}: not sent, the result was withdrawn"
            self.workitems.note_delivery(workitem_id, destination, "cancelled", attempt, text)
            return "cancelled"
        try:
            peer = open_destination(self.site.destinations((destination,))[0])
            files = self.workitems.files_for(workitem_id, destination)
            if missing := peer.missing(files):  # asked first: a crash may have hidden a sending
                peer.send(missing)
            self._read_back(peer, files)
        except (DeliveryDelayed, OSError) as error:
            text = f"{destination}: {error}; again in {retry_seconds(attempt):.0f} s"
            next_attempt = time.time() + retry_seconds(attempt)
            self.workitems.note_delivery(
                workitem_id, destination, "delayed", attempt, text, next_attempt
            )
            return "delayed"
        except (DeliveryRefused, ConfigurationError) as error:
            self.workitems.note_delivery(
                workitem_id, destination, "refused", attempt, f"{destination}: {error}"
            )
            self.records.set_state(workitem_id, State.PARKED, f"{destination}: {error}")
            return "refused"
        text = f"{len(files)} objects read back from {destination}"
        self.workitems.note_delivery(workitem_id, destination, "verified", attempt, text)
        self.finish(workitem_id)
        return "verified"

    @durable.step
    def give_up(self, workitem_id: str, state: State, reason: str) -> None:
        """End a workitem that met an error nobody foresaw; its place is on record."""
        self.records.set_state(workitem_id, state, reason)
        log.error("workitem %s: %s", workitem_id, reason)

    def finish(self, workitem_id: str) -> None:
        """Complete the workitem once every destination has shown every result."""
        deliveries = self.records.find(tables.delivery, workitem_id=workitem_id)
        row = self.records.one(tables.workitem, id=workitem_id)
        if State(row["state"]).settled or any(d["state"] != "verified" for d in deliveries):
            return
        if row["failure"]:
            self.records.set_state(workitem_id, State.FAILED, row["failure"])
        else:
            places = ", ".join(d["destination"] for d in deliveries) or "the results folder"
            self.records.set_state(workitem_id, State.COMPLETED, f"verified in {places}")

    # What the steps above stand on ----------------------------------------------------------------

    def host(self, module: str) -> ModelHost:
        """The warm process of `module`, made when first asked for."""
        if module not in self.hosts:
            self.hosts[module] = ModelHost(module, self.site.worker, self.site.networks)
        return self.hosts[module]

    def enqueue_delivery(
        self,
        workitem_id: str,
        destination: str,
        attempt: int = 1,
        delay_seconds: float | None = None,
    ) -> None:
        """Hand one attempt to deliver to the engine; doing so again changes nothing."""
        durable.enqueue(
            durable.DELIVER,
            self.deliver,
            f"{workitem_id}.{destination}.{attempt}",
            workitem_id,
            destination,
            attempt,
            partition=destination,
            delay_seconds=delay_seconds,
        )

    def _read_back(self, peer: Any, files: list[Path]) -> None:
        for pause in READ_BACK_PAUSES:
            time.sleep(pause)
            if not (missing := peer.missing(files)):
                return
        raise DeliveryDelayed(f"accepted, but {len(missing)} of {len(files)} are not shown")


def retry_seconds(attempt: int) -> float:
    """Pause after failed attempt number `attempt`: 2 s, doubling, at most half an hour."""
    return float(min(FIRST_RETRY_SECONDS * 2 ** (attempt - 1), LAST_RETRY_SECONDS))


def variant_of(destination: Destination) -> str:
    """The kinds and the encoding a destination wants, as one word of the records."""
    return ",".join((*destination.objects, destination.segmentation))
