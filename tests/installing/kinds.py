"""The kinds of findings that Hilum has."""

from hilum.findings import FINDING_KINDS


def kinds_of_ours() -> set[str]:
    """Their names, without those of a test or of another package."""
    return {name for name, kind in FINDING_KINDS.items() if kind.__module__.startswith("hilum.")}
