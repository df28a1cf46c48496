"""What a module is: four members, found by entry point, and the inputs that it declares."""

from hilum.module.cards import CARD
from hilum.module.composition import FindingsOf
from hilum.module.conditions import Orientation
from hilum.module.earlier import EarlierExams, exam_name
from hilum.module.films import Films
from hilum.module.parameters import Resources, parameters_of, require_resources
from hilum.module.protocol import (
    ENTRY_POINT_GROUP,
    AnyNeed,
    Module,
    ModuleFacts,
    Need,
    Needs,
    earlier_among,
    earlier_for,
    facts_of,
    findings_for,
    inputs_of,
    needs_of,
    own_results_of,
    package_of,
    problem_of,
)
from hilum.module.volumes import Input, Range

__all__ = [
    "CARD",
    "ENTRY_POINT_GROUP",
    "AnyNeed",
    "EarlierExams",
    "Films",
    "FindingsOf",
    "Input",
    "Module",
    "ModuleFacts",
    "Need",
    "Needs",
    "Orientation",
    "Range",
    "Resources",
    "earlier_among",
    "earlier_for",
    "exam_name",
    "facts_of",
    "findings_for",
    "inputs_of",
    "needs_of",
    "own_results_of",
    "package_of",
    "parameters_of",
    "problem_of",
    "require_resources",
]
