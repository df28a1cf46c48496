"""What all summaries of findings have."""

from abc import ABC, abstractmethod


class FindingSummary(ABC):
    """What all of them have."""

    @abstractmethod
    def in_words(self) -> str:
        """A line of text; nothing for those that are pictures only."""
