"""The test kit for authors: one contract for every implementation of an interface.

Call these from a test of your own; they raise `AssertionError` with the broken promise. Hilum's own
kinds and modules are tested by the same functions.
"""

from hilum.testing.destinations import check_destination, results_of
from hilum.testing.hosts import check_host
from hilum.testing.modules import check_module, job_of
from hilum.testing.notifiers import a_message, check_notifier
from hilum.testing.objects import check_object
from hilum.testing.samples import analysis_of, refusal_of, write_series
from hilum.testing.sources import check_source
from hilum.testing.worklists import check_worklist

__all__ = [
    "a_message",
    "analysis_of",
    "check_destination",
    "check_host",
    "check_module",
    "check_notifier",
    "check_object",
    "check_source",
    "check_worklist",
    "job_of",
    "refusal_of",
    "results_of",
    "write_series",
]
