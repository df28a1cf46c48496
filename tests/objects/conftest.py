"""What the tests of the result objects share."""

from .validators import judge

__all__ = ["judge"]
