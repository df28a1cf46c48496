"""Patterns on received values end soon, mean what they mean in Python, or are refused at once."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hilum.config import parse
from hilum.config.patterns import CURE, matches
from hilum.errors import ConfigurationError

# pattern, and the refused one's replacement by the cure in its words
REFUSED = {
    r"T1(?!.*GD)": "look-ahead",
    r"(?<=T1) POST": "look-behind",
    r"(T1).*\1": "back-references",
    r"(?P<a>T1)(?P=a)": "back-references",
    r"T1++": "possessive",
    r"[": "not a regular expression",
    r"\bÜbersicht": r"(?:^|\W)",
}
SAME = [
    r"\w+",
    r"^\d+$",
    r"\s",
    r"[^\w\s]",
    r"[\W_]",
    r"[\s\S]x",
    r"\D\S",
    r"(?i)ä",
    r"^.{,3}$",
    r"\u00e4|\U0001F600",
    r"(?i)^t1\b",
    r"[[]",
    r"[]a]",
    r"[^]a]",
    r"x\Z",
    r"\[\d\]",
    r"(?:^|\W)Über(?:\W|$)",
    r"\.\\",
]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"^(\w+\s?)*$"])
def test_nested_repeats_end_soon(pattern: str) -> None:
    """Python's own expressions would take longer than anybody waits."""
    assert not matches(pattern, "a" * 1024 + "!")


@pytest.mark.parametrize("pattern", REFUSED)
@pytest.mark.parametrize("where", ["series", "study"])
def test_what_cannot_be_sure_to_end_is_refused_at_load(pattern: str, where: str) -> None:
    rule = {"module": "tiny", where: {"SeriesDescription": pattern}}
    with pytest.raises(ConfigurationError, match=re.escape(REFUSED[pattern])) as raised:
        parse({"rule": [rule]})
    assert f"rule tiny: {where}.SeriesDescription" in str(raised.value)


def test_the_printed_cures_cure() -> None:
    assert "name what may stand there" in CURE
    assert matches("^T1( MPR)?$", "T1 MPR")  # in place of a look-ahead
    assert not matches("^T1( MPR)?$", "T1 GD")
    assert matches(r"(?:^|\W)Übersicht(?:\W|$)", "Kopf Übersicht")


@pytest.mark.filterwarnings("ignore:Possible nested set")
@settings(deadline=None)  # the first of a class looks at every character there is
@given(st.sampled_from(SAME), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
@example(r"\w+", "ä")
@example(r"^\d+$", "٣")
@example(r"\s", "\u00a0")
@example(r"(?i)ä", "Ä")
@example(r"[\W_]", "é")
@example(r"^.{,3}$", "ab")
@example(r"[[]", "[")
def test_every_pattern_means_what_it_means_in_python(pattern: str, value: str) -> None:
    value = value.replace("\n", " ")  # received values are single lines
    assert matches(pattern, value) == bool(re.search(pattern, value))
