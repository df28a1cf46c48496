"""All cases, in the order of the table."""

from hilum_lab.odd_input.case import Case
from hilum_lab.odd_input.cases import files, frames, geometry, identity, splitting, values

GROUPS = (
    geometry.GROUP,
    splitting.GROUP,
    values.GROUP,
    frames.GROUP,
    identity.GROUP,
    files.GROUP,
)
CASES: tuple[Case, ...] = tuple(case for group in GROUPS for case in group.cases)
