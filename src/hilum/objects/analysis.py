"""What the writers receive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.findings import Findings
from hilum.module import ModuleFacts


@dataclass(frozen=True)
class Analysis:
    """One run of one module on one study: everything the writers need, nothing else.

    `created` comes from the workitem, so that a repeated run writes identical bytes. `inputs` holds
    the chosen series by input name, several for films (empty if none could be chosen and the
    findings are a refusal). `reasons` says why they were chosen; `incomplete` says what was
    missing, or is None; `predecessor` holds the SOP (class, instance) UIDs of the result this one
    replaces. `pictures` holds `Film.picture` by SOP Instance UID; a film without one cannot be
    shown, for the writers decode no film.
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

    @property
    def series(self) -> Series | None:
        """The first input: the series whose grid the segments are on."""
        return next(iter(self.all_series), None)

    @property
    def all_series(self) -> tuple[Series, ...]:
        """Every analysed series, once."""
        return tuple({s.uid: s for chosen in self.inputs.values() for s in chosen}.values())
