"""Counted nouns, and that nobody writes them by hand."""

import re
from pathlib import Path

import pytest

import hilum
from hilum.wording import clauses, counted, listed, sentence

NOUNS = "studies|objects|images|findings|files|frames|results|workitems|changes|instances"
BY_HAND = re.compile(rf"\{{(?!counted)[^{{}}]*\}} ({NOUNS})\b")
# The last one is a command
NEVER_ONE = re.compile(
    r"MOST_|\{value\}|\(references\)|\{self.modality\}| images`"
)  # the last is a command


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("image", "images"),
        ("study", "studies"),
        ("delay", "delays"),
        ("analysis", "analyses"),
        ("series", "series"),
        ("older one", "older ones"),
    ],
)
def test_one_is_not_many(noun: str, many: str) -> None:
    assert counted(1, noun) == f"1 {noun}"
    assert [counted(number, noun) for number in (0, 2, 11)] == [f"{n} {many}" for n in (0, 2, 11)]


@pytest.mark.parametrize(
    ("names", "said"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abcd", "a, b, c and d")]
)
def test_names_are_listed_as_one_says_them(names: str, said: str) -> None:
    assert listed(names) == said


def test_clauses_make_one_sentence_also_where_one_brought_its_full_stop() -> None:
    assert clauses("it does not answer.", "", "look there") == "it does not answer; look there"
    assert clauses("cut short ...", "look there.") == "cut short ...; look there."
    assert clauses("alone.") == "alone."


def test_a_name_at_the_beginning_of_a_sentence_stays_as_it_is() -> None:
    assert sentence("hilum.toml was changed") == "hilum.toml was changed."
    assert sentence("give_up_seconds is too short.") == "give_up_seconds is too short."
    assert sentence("nothing waits") == "Nothing waits."


def test_nobody_counts_by_hand() -> None:
    root = Path(hilum.__file__).parent
    files = [*root.rglob("*.py"), *root.rglob("*.html")]
    found = [
        f"{path.name}: {line.strip()}"
        for path in files
        if not {"chaos"}.intersection(path.parts)
        for line in path.read_text().splitlines()
        if BY_HAND.search(line) and not NEVER_ONE.search(line)
    ]
    assert found == []
