"""Modules that misbehave (`moody.py`): a refusal for that study, and the others go on."""

from collections.abc import Callable

from hilum_lab.chaos.network import Plan
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial

MOODY = Plan("moody module", moody=True, worker={"timeout_seconds": 8, "memory_mb": 1024})
MOODS = {
    "raises": "a module raises an error",
    "segfaults": "a module makes its process crash",
    "eats": "a module eats all memory it can get",
    "hoards": "a module keeps all memory for itself",
    "hangs": "a module never comes back",
    "kills": "a module tries to kill its worker",
}


def _moody(mood: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        # one that keeps nearly all memory may just get by itself: that is right, too
        told = {"refusal": None} if mood == "hoards" else {"refusal": True, "state": "failed"}
        bad = trial.study(mood, **told)
        good = trial.study(state="completed")
        trial.send(bad, good)
        trial.lifted()
        trial.until(lambda: trial.is_done(bad), "end of the bad study", trial.fault.limit)
        trial.require(trial.workitem(bad).reason, "no reason is on record")

    return inject


for _mood, _sentence in MOODS.items():
    fault(
        f"module {_mood}",
        f"{_sentence}: a refusal is delivered, the next study is analysed",
        plan=MOODY,
    )(_moody(_mood))
