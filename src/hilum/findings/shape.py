"""What all kinds have that are drawn upon images as points and lines."""

from typing import Protocol, runtime_checkable

from hilum.checks import Colour, Positions


@runtime_checkable
class Shape(Protocol):
    """Its `points` lie on `image`, as (column, row), or in the volume, as (x, y, z) in mm (LPS)."""

    @property
    def points(self) -> Positions: ...

    @property
    def label(self) -> str: ...

    @property
    def image(self) -> str | None: ...

    @property
    def colour(self) -> Colour: ...
