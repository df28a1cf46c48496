"""One setting is changed, and every other byte of hilum.toml stays, comments too."""

import tomllib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.config.editing import added, changed, entry_text, removed, with_entry_text
from hilum.errors import ConfigurationError

TWO = """\
# The network of the hospital

data = "/srv/hilum" # on the large disk

[[destination]]
name = "pacs"   # the PACS
kind = "dimse"

# Heads come from MR1.
[[rule]]
module = "heads" # the module
# What this site calls the series.
series = { SeriesDescription = "^T1" } # as on MR1
# priority = "MEDIUM"
send_to = [
  "pacs", # the PACS
]

# Chests come from XR1.
[[rule]]
module = "chests"
series.Modality = "DX" # films
# tilt = "refuse"

# The end.
"""
HEADS, CHESTS = tomllib.loads(TWO)["rule"]


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that `after` lacks, and those that it has more; all others are as they were."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return old, new


@pytest.mark.parametrize(
    ("more", "gone", "new"),
    [
        ({"priority": "HIGH"}, [], ['priority = "HIGH"']),  # below the comment that explains it
        ({"name": "brain"}, [], ['name = "brain"']),
        (
            {"series": {"SeriesDescription": "^T1", "Modality": "MR"}},
            ['series = { SeriesDescription = "^T1" } # as on MR1'],
            ['series = { SeriesDescription = "^T1", Modality = "MR" } # as on MR1'],
        ),
        (
            {"module": "brains"},
            ['module = "heads" # the module'],
            ['module = "brains" # the module'],
        ),
        ({}, [], []),
    ],
)
def test_only_the_lines_of_a_setting_change(
    more: dict[str, Any], gone: list[str], new: list[str]
) -> None:
    assert lines_changed(TWO, changed(TWO, "rule", 0, HEADS | more)) == (gone, new)


def test_a_new_setting_stands_below_the_comment_that_explains_it() -> None:
    lines = changed(TWO, "rule", 0, HEADS | {"priority": "HIGH"}).splitlines()
    assert ('# priority = "MEDIUM"', 'priority = "HIGH"') in list(pairwise(lines))


def test_a_dotted_setting_gets_dotted_siblings_and_loses_its_line_alone() -> None:
    more = changed(TWO, "rule", 1, CHESTS | {"series": {"Modality": "DX", "StationName": "XR1"}})
    assert lines_changed(TWO, more) == ([], ['series.StationName = "XR1"'])
    fewer = changed(TWO, "rule", 1, {"module": "chests"})
    assert lines_changed(TWO, fewer) == (['series.Modality = "DX" # films'], [])


def test_a_removed_entry_takes_its_own_comments_and_no_others() -> None:
    without = removed(TWO, "rule", 0)
    assert "MR1" not in without
    assert without.endswith(TWO[TWO.index("# Chests") :])
    assert without.startswith(TWO[: TWO.index("# Heads")])
    without = removed(TWO, "rule", 1)
    assert without == TWO[: TWO.index("# Chests")] + "# The end.\n"


def test_an_added_entry_stands_behind_the_last_one() -> None:
    made = added(TWO, "rule", {"module": "knees", "series": {"Modality": "MR"}})
    lines = ["", "[[rule]]", 'module = "knees"', 'series = { Modality = "MR" }']
    assert lines_changed(TWO, made)[0] == []
    assert made.splitlines()[-6:] == [*lines, "", "# The end."]
    assert added("", "rule", {"module": "m"}) == '[[rule]]\nmodule = "m"\n'


def test_the_first_entry_of_a_section_stands_at_the_end() -> None:
    made = added(TWO, "source", {"name": "archive", "kind": "orthanc"})
    assert made == TWO + '\n[[source]]\nname = "archive"\nkind = "orthanc"\n'


def test_a_table_of_its_own_below_an_entry() -> None:
    text = '[[rule]]\nmodule = "a"\n[rule.series]\nA = "1" # a\n\n# b\n[[rule]]\nmodule = "b"\n'
    more = changed(text, "rule", 0, {"module": "a", "tilt": "x", "series": {"A": "1", "B": "2"}})
    assert more == text.replace('module = "a"\n', 'module = "a"\ntilt = "x"\n').replace(
        'A = "1" # a\n', 'A = "1" # a\nB = "2"\n'
    )
    none = changed(text, "rule", 0, {"module": "a"})
    assert none == '[[rule]]\nmodule = "a"\n\n# b\n[[rule]]\nmodule = "b"\n'
    assert removed(text, "rule", 0) == '# b\n[[rule]]\nmodule = "b"\n'


INLINE = """\
rule = [
  { module = "a", series = { A = "]" } }, # the first
  { module = "b" }, # the second
] # rules
"""


@pytest.mark.parametrize(
    ("made", "gone", "new"),
    [
        (changed(INLINE, "rule", 1, {"module": "c"}), '{ module = "b" }', '{ module = "c" }'),
        (removed(INLINE, "rule", 1), '{ module = "b" }, ', ""),
        (removed(INLINE, "rule", 0), '{ module = "a", series = { A = "]" } }, ', ""),
        (added(INLINE, "rule", {"module": "c"}), '"b" }', '"b" }, { module = "c" }'),
    ],
)
def test_entries_in_braces(made: str, gone: str, new: str) -> None:
    assert made == INLINE.replace(gone, new)


def test_an_empty_list_in_brackets_gets_its_first_entry() -> None:
    assert (
        added("rule = [] # none\n", "rule", {"module": "c"}) == 'rule = [{ module = "c" }] # none\n'
    )


def test_windows_line_ends_and_a_missing_last_one() -> None:
    text = TWO.replace("\n", "\r\n").removesuffix("\r\n# The end.\r\n").removesuffix("\r\n")
    assert "\n" not in added(text, "rule", {"module": "k"}).replace("\r\n", "")
    assert added(text, "rule", {"module": "k"}) == text + '\r\n\r\n[[rule]]\r\nmodule = "k"\r\n'
    made = changed(text, "rule", 0, HEADS | {"priority": "HIGH", "tilt": "resample"})
    assert made.replace('priority = "HIGH"\r\n', "").replace('tilt = "resample"\r\n', "") == text


def test_a_hash_a_bracket_or_a_header_in_a_text_is_none() -> None:
    text = (
        '[[rule]]\nmodule = """\n[[rule]]\n# no " comment\n"""\n'
        "series.'A#]' = 'x # y' # z\n\"q = r\" = '''[[\n''''\n[[ 'rule' ]]\nmodule=\"b\"\n"
    )
    first, second = tomllib.loads(text)["rule"]
    assert changed(text, "rule", 1, second | {"module": "c"}) == text.replace('"b"', '"c"')
    assert removed(text, "rule", 0) == "[[ 'rule' ]]\nmodule=\"b\"\n"
    assert changed(text, "rule", 0, first | {"q = r": "s"}) == text.replace("'''[[\n''''", '"s"')


def test_the_lines_of_an_entry_are_exchanged_as_text() -> None:
    lines = entry_text(TWO, "rule", 1)
    assert lines.startswith("# Chests come from XR1.\n[[rule]]\n")
    assert lines.endswith('# tilt = "refuse"\n')
    other = '# Other.\r\n[[rule]]\r\nmodule = "x" # y'
    made = with_entry_text(TWO, "rule", 1, other)
    assert made == TWO.replace(lines, '# Other.\n[[rule]]\nmodule = "x" # y\n')
    for wrong in (
        "",
        'data = "x"',
        '[[rule]]\nmodule = "a"\n[[rule]]\nmodule = "b"',
        "[[destination]]",
    ):
        with pytest.raises(ConfigurationError, match="exactly one"):
            with_entry_text(TWO, "rule", 1, wrong)
    with pytest.raises(ConfigurationError, match="not TOML"):
        with_entry_text(TWO, "rule", 1, "[[rule]")


def test_what_cannot_be_changed_alone_is_refused_in_words() -> None:
    apart = '[[rule]]\nmodule = "a"\n[worker]\ncount = 1\n[rule.series]\nA = "1"\n'
    with pytest.raises(ConfigurationError, match="by hand"):
        entry_text(apart, "rule", 0)
    assert removed(apart, "rule", 0) == "[worker]\ncount = 1\n"
    with pytest.raises(ConfigurationError, match="by hand"):
        entry_text(INLINE, "rule", 0)
    with pytest.raises(ConfigurationError, match=r"no \[\[rule\]\] number 3"):
        changed(TWO, "rule", 2, {})


WORDS = st.text("ab\"'#[]{}=,.\\ \n\tü", max_size=6)
VALUES = st.one_of(
    WORDS,
    st.integers(-3, 3),
    st.booleans(),
    st.lists(WORDS, max_size=2),
    st.dictionaries(st.sampled_from(["A", "b-c", "d e", 'f"']), WORDS, max_size=2),
)
ENTRIES = st.dictionaries(
    st.sampled_from(["module", "series", "x.y", "send_to"]), VALUES, max_size=3
)
COMMENTS = st.lists(
    st.sampled_from(["", "# note [[rule]]", '# series = "', "  # series = {"]), max_size=3
)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """The lines around each of some rules, and those of each rule."""
    rules, around = [], []
    for number in range(draw(st.integers(1, 3))):
        lines = added("", "rule", draw(ENTRIES)).splitlines()
        for comment in draw(COMMENTS):
            lines.insert(draw(st.integers(1, len(lines))), comment or "# mine")
        rules.append(
            [f"# rule {number}", *lines, *draw(st.sampled_from([[], ["[rule.t]", "u = 1"]]))]
        )
        around.append(["", *draw(COMMENTS), ""])
    around[0] += draw(st.sampled_from([[], ["[worker] # w", "count = 1", ""]]))
    return ["\n".join(lines) for lines in around], rules


@given(files(), ENTRIES, st.data())
def test_no_edit_touches_another_entry(
    made: tuple[list[str], list[list[str]]], values: dict[str, Any], data: st.DataObject
) -> None:
    around, rules = made
    parts = [text for pair in zip(around, map("\n".join, rules), strict=True) for text in pair]
    text = "\n".join([*parts, "", "# end", ""])
    number = data.draw(st.integers(0, len(rules) - 1))
    before, after = text.split("\n".join(rules[number]), 1)
    edited = changed(text, "rule", number, values)
    assert edited.startswith(before)
    assert edited.endswith(after)
    assert [line for line in rules[number] if line.lstrip().startswith("#")] == [
        line
        for line in edited[len(before) : -len(after)].splitlines()
        if line.lstrip().startswith("#")
    ]
    gone = removed(text, "rule", number)
    assert gone.startswith(before.rstrip("\n"))
    assert gone.endswith(after.lstrip("\n"))
    more = added(text, "rule", values)
    assert tomllib.loads(more)["rule"][-1] == values
    old, _new = lines_changed(text, more)
    assert old == []
