"""Where a result comes from: which images, why these, which model, and when."""

from dataclasses import dataclass

from hilum.dicom.series import Series
from hilum.objects.analysis import Analysis
from hilum.wording import counted

Fact = tuple[str, str]  # its name, and what it is


@dataclass(frozen=True)
class ResultOrigin:
    """What the foot of every page says of one analysis."""

    analysis: Analysis

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that is said of it."""
        return (*self.images, *self.provenance)

    @property
    def images(self) -> tuple[Fact, ...]:
        """The series that were analysed."""
        series = tuple(("Images", described(each)) for each in self.analysis.all_series)
        return series or (("Images", "no series of this study was suitable"),)

    @property
    def provenance(self) -> tuple[Fact, ...]:
        """Why these images, which model, and when."""
        module, settings = self.analysis.module, self.analysis.settings
        reasons = "; ".join(self.analysis.reasons)
        weights = f"SHA-256 {module.weights_sha256[:12]}"
        return (
            *(((self.why, reasons),) if reasons else ()),
            ("Model", f"{module.title}, version {module.version}, weights {weights}"),
            *((("Parameters", "; ".join(settings)),) if settings else ()),
            ("Analysed", f"{self.analysis.created:%Y-%m-%d %H:%M}"),
        )

    @property
    def why(self) -> str:
        """What the reasons are for."""
        return "Chosen because" if self.analysis.inputs else "Not chosen"


def described(series: Series) -> str:
    """Name, number of images and voxel size of a series."""
    number = series.header.integer("SeriesNumber")
    name = f"{series.description or 'unnamed series'}{f' (series {number})' if number else ''}"
    name = f"{name}, {series.label}" if series.label else name
    count = len(series.frames) or len(series.instances)
    parts = [name, f"{series.modality}, {counted(count, 'image')}"]
    spacing = series.frames[0].pixel_spacing if series.frames else None
    if spacing is not None and series.stack.spacing is not None:
        sides = (*spacing, series.stack.spacing)
        parts.append(" x ".join(f"{side:.2f}" for side in sides) + " mm")
    elif size := series.instances[0].size:
        parts.append(f"{size[1]} x {size[0]} pixels")
    return ", ".join(parts)
