"""What was decided about one series, and why."""

from dataclasses import dataclass

from hilum.wording import counted

ONLY_INPUT = "series"  # what the input of a module is called that has one


@dataclass(frozen=True)
class Verdict:
    """What was decided about one series for one input of a module.

    `is_named`: the patterns of the rule and the modality fit, so it is the series that is meant.
    `lacks`: what is not there of one that was chosen, whether it is held for that or not.
    `fits_modality`: whether it is of a modality that the module takes at all.
    """

    input: str
    series_uid: str
    description: str
    images: int
    accepted: bool
    reasons: tuple[str, ...]
    is_named: bool = True
    lacks: str = ""
    fits_modality: bool = True

    def __str__(self) -> str:
        word = "chosen" if self.accepted else "rejected"
        if self.input != ONLY_INPUT:
            word = f"{self.input}: {word}"
        images = counted(self.images, "image")
        return f"{word} {self.description} ({images}): {'; '.join(self.reasons)}"
