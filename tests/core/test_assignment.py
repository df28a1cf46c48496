"""What fills which input: nothing fills two, and nobody gets less than could be."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from hilum.study.assignment import assigned

SERIES = st.lists(st.sampled_from("abcde"), unique=True)
OFFERS = st.dictionaries(st.sampled_from(["t1", "t2", "flair", "dwi"]), SERIES, max_size=4)


def every_way(ranked):
    """Each assignment by which nothing is given twice; None is given to who gets nothing."""
    for given_ in product(*([*candidates, None] for candidates in ranked.values())):
        used = [one for one in given_ if one is not None]
        if len(used) == len(set(used)):
            yield dict(zip(ranked, given_, strict=True))


def worth(way, ranked, optional):
    """Greater is better: inputs filled, first those that are needed, then how good each one is."""
    order = sorted(ranked, key=lambda name: name in optional)
    ranks = [-ranked[n].index(way[n]) if way[n] is not None else -99 for n in order]
    filled = [name for name in ranked if way[name] is not None]
    return sum(name not in optional for name in filled), len(filled), ranks


@given(OFFERS, st.sets(st.sampled_from(["t1", "flair"])))
def test_it_is_the_best_of_all_ways(ranked, optional):
    found = assigned(ranked, optional)
    best = max(every_way(ranked), key=lambda way: worth(way, ranked, optional))
    assert found == {name: one for name, one in best.items() if one is not None}


def test_an_input_gives_way_only_to_one_that_would_have_nothing():
    assert assigned({"t1": ["a", "b"], "flair": ["a"]}) == {"t1": "b", "flair": "a"}
    assert assigned({"t1": ["a", "b"], "flair": ["a", "c"]}) == {"t1": "a", "flair": "c"}


def test_what_is_optional_takes_nothing_from_what_is_needed():
    assert assigned({"t1": ["a"], "flair": ["a"]}, ["t1"]) == {"flair": "a"}
