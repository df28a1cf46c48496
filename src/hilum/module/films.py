"""The radiographs of a study as a module needs them, judged from headers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.dicom.series import Series


@dataclass(frozen=True)
class Films:
    """All radiographs of a study, whatever series they lie in, judged from headers.

    One run sees them all, so that it can tell the views apart and never contradicts itself.
    An input that is `optional` is None where the study has no radiograph.
    """

    modalities: tuple[str, ...] = ("CR", "DX")
    optional: bool = False

    def read(self, parts: Sequence[Part]) -> tuple[Film, ...]:
        """The chosen images as `Module.run` receives them: in order of acquisition, then of UID."""
        films = (Film(Instance.read(part.path)) for part in parts)
        return tuple(sorted(films, key=lambda film: (film.acquired, film.uid)))

    def candidates(self, series: Series, resample: bool = False) -> Sequence[Series]:
        """All images of `series` together."""
        return (series,)

    def is_for(self, series: Series) -> bool:
        """Whether `series` is of one of the modalities."""
        return series.modality in self.modalities

    def objections(self, series: Series) -> Iterator[str]:
        """Each reason why `series` holds no radiographs; none means it does."""
        if not self.is_for(series):
            needed = " or ".join(self.modalities)
            yield f"modality is {series.modality or 'not given'}, module needs {needed}"
