"""kill -9 of every process at every step of a study, at random, and of all at once."""

import random
import time
from collections.abc import Callable

from hilum_lab.chaos import gate
from hilum_lab.chaos.gateway import ROLES
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial

STEPS = {
    "receiving": "after some images",
    "assembling": "when all images are there and nothing is scheduled",
    "inferring": "while the module runs",
    "writing": "when the result objects are being written",
    "sending": "when a result is on its way to the PACS",
    "reading back": "when the PACS has the result and is about to be asked for it",
    "verifying": "when the PACS has shown the result and nobody has written it down",
}
QUICK = {
    ("receiver", "receiving"),
    ("worker", "inferring"),
    ("gateway", "sending"),
}
INTERRUPTING = {("worker", "inferring"), ("worker", "writing"), ("module", "inferring")}
AT_THE_GATE = {"sending": gate.SENT, "reading back": gate.READ_BACK, "verifying": gate.SHOWN}


def _kill(role: str, step: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        interrupts = (role, step) in INTERRUPTING
        trial.most_inferences = 2 if interrupts else 1
        # a module that was killed may have been at fault: a refusal is an answer, too
        study = trial.study(refusal=None if interrupts and role == "module" else False)
        if step in AT_THE_GATE:
            reached = trial.network.gate.at(AT_THE_GATE[step], lambda: _at_gate(trial, role))
            trial.send(study)
            trial.until(reached.is_set, step)
            return
        if step == "receiving":
            with trial.meanwhile(lambda: trial.send(study)):
                trial.wait_for_files(study, study.most)
                trial.kill(role)
            return
        trial.send(study)
        if step == "assembling":
            trial.wait_for_files(study, len(study.files))
        else:
            trial.wait_for(study, {"inferring": "running", "writing": "analysed"}[step])
        trial.kill(role)

    return inject


def _at_gate(trial: Trial, role: str) -> bool:
    trial.kill(role)
    return role != "gateway"  # nobody is left to hear an answer


for _step, _when in STEPS.items():
    for _role in ROLES:
        fault(
            f"kill the {_role} while {_step}",
            f"kill -9 of the {_role} {_when}",
            quick=(_role, _step) in QUICK,
        )(_kill(_role, _step))


@fault("kill the gateway before sending", "kill -9 of the gateway before the PACS has the result")
def before_sending(trial: Trial) -> None:
    reached = trial.network.gate.at(gate.SEND, lambda: _at_gate(trial, "gateway"))
    trial.send()
    trial.until(reached.is_set, "sending")


@fault(
    "kill everything", "kill -9 of all processes, the parent too, while a module runs", quick=True
)
def everything(trial: Trial) -> None:
    trial.most_inferences = 2
    study = trial.send()
    trial.wait_for(study, "running")
    trial.hilum.kill_everything()
    trial.lifted()
    trial.hilum.start()


@fault("kill the fork server", "kill -9 of what forks all others, which ends them, while inferring")
def fork_server(trial: Trial) -> None:
    trial.most_inferences = 2
    study = trial.send()
    trial.wait_for(study, "running")
    trial.kill("fork server")


@fault("kill everything while sending", "the same when the PACS has a result that nobody noted")
def everything_while_sending(trial: Trial) -> None:
    def kill() -> bool:
        trial.hilum.kill_everything()
        return False

    reached = trial.network.gate.at(gate.SENT, kill)
    trial.send()
    trial.until(reached.is_set, "sending")
    trial.lifted()
    trial.hilum.start()


@fault("random kills", "for 60 s, a random process dies every few seconds; studies flow", limit=120)
def at_random(trial: Trial) -> None:
    trial.most_inferences = 100
    dice = random.Random(4)
    end = time.monotonic() + 60
    with trial.meanwhile(lambda: _send_until(trial, end)):
        while time.monotonic() < end:
            time.sleep(dice.uniform(1, 5))
            trial.hilum.kill(dice.choice(ROLES))
    trial.lifted()


def _send_until(trial: Trial, end: float) -> None:
    while time.monotonic() < end:
        trial.send()
        time.sleep(4)
