"""How one program wants results as JSON."""

from pydantic import Field

from hilum.config.fields import Settings


class EventWishes(Settings):
    """What stands in the JSON for one receiver."""

    identified: bool = Field(
        False,
        description="Whether it is told patient ID, accession number, UIDs, dates and texts of "
        "the module, or the pseudonyms of `hilum export` in their place.",
    )
