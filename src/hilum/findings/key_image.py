"""An image that a reader should look at."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum import checks
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary.pictures import KeyImageSummary


@dataclass(frozen=True)
class KeyImage(Finding):
    """An `image` (SOP Instance UID) of the input that a reader should look at, and the reason."""

    image: str
    text: str

    def __post_init__(self) -> None:
        if self.image is None:
            raise FindingError("the image of a key image is not given")
        settle(
            self,
            image=checks.image("the image of a key image", self.image),
            text=checks.label("the text of a key image", self.text),
        )

    def summary(self) -> KeyImageSummary:
        return KeyImageSummary(self.text, self.image)

    def texts(self) -> Iterable[str]:
        yield self.text
