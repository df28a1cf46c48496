"""What a step asks for by now: whoever plans steps may change one until it is claimed."""

from collections.abc import Mapping
from dataclasses import replace

from hilum.records.models.requests import WorklistStep
from hilum.worklists import OfferedStep

ASKS_OTHERWISE = "the step was changed on the worklist: it asks for another study or module now"
NOT_FOR_US = f"{ASKS_OTHERWISE}, none that the settings name"


def as_asked(
    step: WorklistStep, asked: OfferedStep | None, modules: Mapping[str, str]
) -> WorklistStep | None:
    """The step with what it asks for by now; None if the settings name no module for that.

    What the worklist does not say is as it was.
    """
    if asked is None:
        return step
    study_uid = asked.study_uid or step.study_uid
    if (study_uid, asked.code[:2]) == (step.study_uid, tuple(step.code[:2])):
        return replace(step, reason="") if step.reason else step
    module = modules.get(asked.key)
    if module is None:
        return None
    return replace(step, study_uid=study_uid, module=module, code=asked.code, reason="")
