"""Which of several candidates fills which input, so that none fills two (pure)."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

Ranked = Mapping[str, Sequence[Hashable]]  # of each input its candidates, the best first


def assigned(ranked: Ranked, optional: Collection[str] = ()) -> dict[str, Hashable]:
    """The candidate of each input that gets one; no candidate is given twice.

    As many inputs as possible are filled, those that are not `optional` first of all. Among all
    ways to do so, the first input that is not optional gets the best candidate it can, then the
    next one, then the optional ones. So the answer is always the same one, and nobody gets less
    than the best without another input that would have nothing.
    """
    order = sorted(ranked, key=lambda name: name in optional)
    chosen: dict[str, Hashable] = {}
    for place, name in enumerate(order):
        rest = order[place + 1 :]
        most = _filled([name, *rest], ranked, optional, chosen.values())
        for candidate in ranked[name]:
            if candidate in chosen.values():
                continue
            taken = (*chosen.values(), candidate)
            needed, other = _filled(rest, ranked, optional, taken)
            own = (0, 1) if name in optional else (1, 0)
            if (needed + own[0], other + own[1]) == most:
                chosen[name] = candidate
                break
    return {name: chosen[name] for name in ranked if name in chosen}


def _filled(
    names: Sequence[str], ranked: Ranked, optional: Collection[str], taken: Iterable[Hashable]
) -> tuple[int, int]:
    """How many of `names` can be filled with what is not `taken`: needed and optional ones.

    By augmenting paths (Kuhn): who has a candidate keeps one while others are tried after them.
    """
    gone = set(taken)
    holder: dict[Hashable, str] = {}

    def place(name: str, tried: set[Hashable]) -> bool:
        for candidate in ranked[name]:
            if candidate in gone or candidate in tried:
                continue
            tried.add(candidate)
            if candidate not in holder or place(holder[candidate], tried):
                holder[candidate] = name
                return True
        return False

    found = [name for name in names if place(name, set())]
    others = sum(name in optional for name in found)
    return len(found) - others, others
