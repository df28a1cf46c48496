"""A module that is given earlier exams of the patient as one of its inputs."""

from dataclasses import dataclass


def exam_name(name: str, number: int) -> str:
    """What one exam is called among the inputs of a run; number 0 is the latest."""
    return f"{name}/{number}"


@dataclass(frozen=True)
class EarlierExams:
    """The patient's earlier exams of the same kind, for `run` as a tuple, the latest first.

    Each is what the input called `on`, by default the first one, would get of that exam: a `Series`
    or a tuple of `Film`. There are `most` of them or fewer. Without any, the tuple of an
    `optional` input is empty, and without `optional` the module is not run.
    """

    on: str = ""
    most: int = 1
    optional: bool = False

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most is {self.most}; it is 1 or more")
