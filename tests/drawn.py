"""What the suite takes of many cases, where each takes long; `--whole` takes more, or all."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import settings

WHOLE = "whole"  # the mark of what only `--whole` runs, and its profile of Hypothesis


def examples(usual: int, whole: int, **more: Any) -> settings:
    """Hypothesis draws so many examples in the suite, others each time, and more in a whole run."""
    return settings(max_examples=whole if _is_whole() else usual, **more)


def every(usual: int) -> int:
    """The suite tries one in so many cases of a test, and a whole run tries each."""
    return 1 if _is_whole() else usual


def some(cases: Iterable[Any], every: int) -> list[Any]:
    """Of these cases the suite takes the first, and every so many of the others."""
    return [_case(case, in_suite=n % every == 0) for n, case in enumerate(cases)]


def half_of_the_pairs(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """All pairs, of which the suite takes every second one: each value, with half of the others."""
    numbered = product(enumerate(first), enumerate(second))
    return [_case(a, b, in_suite=(m + n) % 2 == 0) for (m, a), (n, b) in numbered]


def _is_whole() -> bool:
    return settings.get_current_profile_name() == WHOLE


def _case(*values: Any, in_suite: bool) -> Any:
    return pytest.param(*values, marks=() if in_suite else pytest.mark.whole)
