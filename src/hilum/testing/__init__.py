"""The test kit for authors: one contract for every implementation of an interface.

Call these from a test of your own; they raise `AssertionError` with the broken promise. Hilum's own
kinds and modules are tested by the same functions.
"""

from hilum.testing.destinations import check_destination, results_of
from hilum.testing.sources import check_source

__all__ = ["check_destination", "check_source", "results_of"]
