"""What a route may ask of a finding."""

from pydantic import Field, model_validator

from hilum.config.fields import Settings


class When(Settings):
    """A condition on the findings of a result: one of urgent, outcome and measurement."""

    urgent: bool = Field(False, description="The module says that somebody should look at once.")
    outcome: str = Field(
        "", description="The outcome of a classification, as its label is written."
    )
    measurement: str = Field("", description="What was measured, as reports write it.")
    of: str = Field("", description="The structure that was measured; empty means any.")
    above: float | None = Field(None, description="The measurement is greater than this.")
    below: float | None = Field(None, description="The measurement is less than this.")

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> "When":
        if sum(map(bool, (self.urgent, self.outcome, self.measurement))) != 1:
            raise ValueError("give one of urgent = true, outcome and measurement")
        is_limited = self.above is not None or self.below is not None
        if bool(self.measurement) != is_limited:
            raise ValueError("a measurement goes with above or below, and these with a measurement")
        if self.of and not self.measurement:
            raise ValueError("of goes with a measurement")
        return self
