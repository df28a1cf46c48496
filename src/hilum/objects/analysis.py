"""What the writers receive."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from hilum.config.fields import JSONValues
from hilum.dicom.identity import Judgement, attributes, judge
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.findings import Findings
from hilum.module import ModuleFacts
from hilum.pseudonyms import Pseudonyms
from hilum.study.given_exam import EarlierExam


class WrittenFile(NamedTuple):
    """What was written of an earlier result, other than DICOM."""

    kind: str
    identity: str
    content: bytes


@dataclass(frozen=True)
class Analysis:
    """One run of one module on one study: everything the writers need, nothing else.

    The UIDs of all objects follow from `workitem_id` (`hilum.study.runs`). `created` comes from the
    workitem, so that a repeated writing gives identical bytes. `inputs` holds
    the chosen series by input name, several for films (empty if none could be chosen and the
    findings are a refusal). `reasons` says why they were chosen; `incomplete` says what was
    missing, or is None; `predecessor` holds the SOP (class, instance) UIDs of the result this one
    replaces. `pictures` holds `Film.picture` by SOP Instance UID; a film without one cannot be
    shown, because the writers decode no film. `left_out` says which images do not count because a
    person decided so. `parameters` are those that the rule sets for the module. `used` are the
    modules whose findings it was given, by the name of the input, `priors` the earlier exams, () of
    an input that was given none. `replaced` are the files of other kinds than DICOM that this
    result replaces, or that a note is about, for a kind whose new object takes the place of the old
    one, or says more of it. `pseudonyms` gives those of the site, None where there is no site.
    """

    workitem_id: str
    created: datetime
    module: ModuleFacts
    study: Study
    inputs: Mapping[str, tuple[Series, ...]]
    findings: Findings
    reasons: tuple[str, ...] = ()
    incomplete: str | None = None
    predecessor: tuple[tuple[str, str], ...] = ()
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    parameters: JSONValues = field(default_factory=dict)
    used: Mapping[str, ModuleFacts] = field(default_factory=dict)
    priors: Mapping[str, tuple[EarlierExam, ...]] = field(default_factory=dict)
    replaced: tuple[WrittenFile, ...] = ()
    pseudonyms: Callable[[], Pseudonyms] | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """The parameters that the rule sets, and what it was given beside, as a person reads it."""
        given = sorted(self.used.items())
        return (
            *(f"{name} = {json.dumps(v)}" for name, v in sorted(self.parameters.items())),
            *(f"{name} = the findings of {one.name} {one.version}" for name, one in given),
            *(f"{name} = {_listed(exams)}" for name, exams in sorted(self.priors.items())),
        )

    @property
    def series(self) -> Series | None:
        """The first input: the series whose grid the segments are on."""
        return next(iter(self.all_series), None)

    @property
    def all_series(self) -> tuple[Series, ...]:
        """Every analysed volume, once; a series may hold several."""
        given = (series for chosen in self.inputs.values() for series in chosen)
        return tuple({Part.of(series): series for series in given}.values())

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The images that were analysed, of all inputs."""
        return tuple(instance for one in self.all_series for instance in one.instances)

    @cached_property
    def by_uid(self) -> dict[str, Instance]:
        """The same by SOP Instance UID."""
        return {instance.sop_instance_uid: instance for instance in self.instances}

    @cached_property
    def patient_and_study(self) -> Dataset:
        """Those of the analysed images, of all of the study if there are none; see `attributes`."""
        return attributes(self.instances or self.study.instances, self._beside)

    @property
    def judgement(self) -> Judgement:
        """Whether all of the study is of the patient whose images were analysed."""
        beside = (i.patient for i in self._beside if not i.is_own_result)
        return judge((i.patient for i in self.instances), beside)

    @property
    def _beside(self) -> list[Instance]:
        return [i for i in self.study.instances if i.sop_instance_uid not in self.by_uid]


def _listed(exams: Sequence[EarlierExam]) -> str:
    return ", ".join(map(str, exams)) or "no earlier exam"
