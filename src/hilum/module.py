"""What a module is: four members, found by entry point. Third-party and built-in ones are equal."""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.parts import Part, read_series
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError
from hilum.findings import Finding
from hilum.kinds import FORMATS
from hilum.wording import counted

ENTRY_POINT_GROUP = "hilum.modules"

CARD = "card.toml"  # describes a network in a folder of its own

MEMBERS = ("name", "version", "needs", "run")

Range = tuple[float, float]


@dataclass(frozen=True)
class Input:
    """One volume of a series, and what a network was made for, judged from headers.

    A rule can narrow it, never widen it. Lengths are in mm, `echo_time` is in ms, `b_value` in
    s/mm2. `extent` bounds every side of the volume. `tilt` says whether slices of a tilted gantry
    are laid on a right-angled grid for the module; without it they are refused, unless a rule asks.
    """

    modality: str
    sop_classes: tuple[str, ...] = ()
    volume: bool = True
    slices: tuple[int, int] = (1, 100_000)
    slice_spacing: Range | None = None
    pixel_spacing: Range | None = None
    extent: Range | None = None
    echo_time: Range | None = None
    b_value: Range | None = None
    tilt: Literal["refuse", "resample"] = "refuse"

    def read(self, parts: Sequence[Part]) -> Series:
        """The chosen images as `Module.run` receives them."""
        (series,) = read_series(parts)
        return series.straightened if self.volume else series

    def candidates(self, series: Series, resample: bool = False) -> Sequence[Series]:
        """The volumes of `series`, each of which is judged by itself.

        `resample`: the rule asks for tilted slices to be laid on a right-angled grid.
        """
        if not self.volume:
            return (series,)
        wanted = resample or self.tilt == "resample"
        return [s.straightened if wanted else s for s in series.candidates]

    def is_for(self, series: Series) -> bool:
        """Whether `series` is of the right modality, whatever else is to be said against it."""
        return series.modality == self.modality

    def objections(self, series: Series) -> Iterator[str]:
        """Each reason why `series` is not what the module needs; none means it fits."""
        if not self.is_for(series):
            yield f"modality is {series.modality or 'not given'}, module needs {self.modality}"
            return
        sop_class = series.instances[0].sop_class_uid
        if self.sop_classes and sop_class not in self.sop_classes:
            yield f"SOP class {_name(sop_class)} is not one the module reads"
            return
        low, high = self.slices
        if not low <= len(series.frames) <= high:
            yield f"{counted(len(series.frames), 'image')}, module needs {low} to {high}"
        for keyword, allowed in (("echo_time", self.echo_time), ("b_value", self.b_value)):
            if allowed:
                yield from _not_within(series, keyword, allowed)
        if self.volume:
            yield from self._objections_to_volume(series)

    def reservations(self, series: Series) -> Iterator[str]:
        """Each reason why the module will refuse `series` though it fits; none by default.

        A series without any is taken first. One with them is taken if there is no other, so that
        the module's refusal tells the clinician why there is no result.
        """
        yield from ()

    def _objections_to_volume(self, series: Series) -> Iterator[str]:
        if series.frames and all(frame.is_localizer for frame in series.frames):
            yield "it is a localizer (ImageType)"
        if series.stack.problem:
            yield f"forms no volume: {series.stack.problem}"
        if series.problem:
            yield series.problem
        if series.stack.spacing is not None:
            yield from self._objections_to_grid(series, series.stack.spacing)

    def _objections_to_grid(self, series: Series, slice_spacing: float) -> Iterator[str]:
        first = series.frames[0]
        assert first.pixel_spacing is not None
        if self.slice_spacing:
            yield from _outside(slice_spacing, self.slice_spacing, "slice spacing")
        if self.pixel_spacing:
            for spacing in sorted(set(first.pixel_spacing)):
                yield from _outside(spacing, self.pixel_spacing, "pixel spacing")
        if self.extent:
            rows, columns = first.size or (0, 0)
            sides = (
                rows * first.pixel_spacing[0],
                columns * first.pixel_spacing[1],
                len(series.frames) * slice_spacing,
            )
            if not all(self.extent[0] <= side <= self.extent[1] for side in sides):
                size = " x ".join(f"{side:.0f}" for side in sides)
                low, high = self.extent
                yield f"covers {size} mm, module needs {low:.0f} to {high:.0f} mm on every side"


@dataclass(frozen=True)
class Films:
    """All radiographs of a study, whatever series they lie in, judged from headers.

    One run sees them all, so that it can tell the views apart and never contradicts itself.
    """

    modalities: tuple[str, ...] = ("CR", "DX")

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


Need = Input | Films


def _outside(value: float, allowed: Range, what: str) -> Iterator[str]:
    if not allowed[0] <= value <= allowed[1]:
        yield f"{what} {value:.2g} mm, module needs {allowed[0]:g} to {allowed[1]:g} mm"


def _not_within(series: Series, attribute: str, allowed: Range) -> Iterator[str]:
    """Whether a frame states another echo time, or b-value, than the module needs."""
    name, unit = {"echo_time": ("echo time", "ms"), "b_value": ("b-value", "s/mm2")}[attribute]
    stated = {getattr(frame, attribute) for frame in series.frames}
    if wrong := [v for v in stated if v is None or not allowed[0] <= v <= allowed[1]]:
        shown = "not stated" if wrong[0] is None else f"{wrong[0]:g} {unit}"
        yield f"{name} is {shown}, module needs {allowed[0]:g} to {allowed[1]:g} {unit}"


def _name(uid: str) -> str:
    from pydicom.uid import UID

    return UID(uid).name


@runtime_checkable
class Module(Protocol):
    """The four members of a module. `run` is called in a process of its own that stays warm.

    With one `Input`, `run` receives that `Series`, with `Films` a tuple of `Film`; with a mapping,
    each under its name.
    Optional: `title` (what a clinician reads), `weights` (path of the weights, or a tuple of every
    file that can change a result, hashed into every result), `card` (path of the model card), and
    `with_model` (a class method: the same module with the model in a folder; it looks at the
    card only, because the model may harm the process that loads it).
    """

    name: str
    version: str
    needs: Need | Mapping[str, Need]

    def run(self, *args: Any, **inputs: Any) -> Iterable[Finding]: ...


@dataclass(frozen=True)
class ModuleFacts:
    """What every result says of the module that made it."""

    name: str
    version: str
    title: str
    weights_sha256: str

    @property
    def device_uid(self) -> str:
        """Device UID (0018,1002): changes exactly when the weights do (IHE AIR 6.5.3.1)."""
        return derived_uid("device", self.name, self.weights_sha256)


def inputs_of(module: type[Module] | Module) -> dict[str, Need]:
    """The declared inputs by name; a single one is called `series`."""
    return dict(module.needs) if isinstance(module.needs, Mapping) else {"series": module.needs}


def facts_of(module: type[Module] | Module) -> ModuleFacts:
    """Name, version, title, and the SHA-256 of the weights, or of the source if it has none."""
    weights = getattr(module, "weights", None)
    if weights is None:
        import inspect

        weights = inspect.getfile(module if isinstance(module, type) else type(module))
    digest = hashlib.sha256()
    for path in weights if isinstance(weights, tuple) else (weights,):
        digest.update(Path(path).read_bytes())
    return ModuleFacts(
        name=module.name,
        version=module.version,
        title=getattr(module, "title", module.name),
        weights_sha256=digest.hexdigest(),
    )


def package_of(module: Module) -> str:
    """The package, or the file, that the module's code lies in; one of ours is not all of Hilum."""
    parts = type(module).__module__.split(".")
    return ".".join(parts[: 3 if parts[0] == "hilum" else 1])


def own_results_of(modules: Iterable[type[Module]]) -> OwnResults:
    """The results of `modules` as they are installed, where there are no records to ask."""
    return OwnResults({facts_of(module).device_uid for module in modules})


def installed_module(name: str, models: Path | None = None) -> type[Module]:
    """The module class called `name`, as quickly as can be: where its entry point has that name,
    no other is loaded.

    Raises
    ------
    KeyError
        None of those that load has this name.
    """
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        module = _loaded(point)
        if not isinstance(module, str) and module.name == name:
            return module
    return installed_modules(models)[name]


def installed_modules(models: Path | None = None) -> dict[str, type[Module]]:
    """The module classes that load, by name, as `discover`."""
    return discover(models)[0]


def discover(models: Path | None = None) -> tuple[dict[str, type[Module]], dict[str, str]]:
    """The module classes that load, and for each that does not, why; one never stops another.

    They are registered under the entry point group `hilum.modules`; each folder in `models` makes
    one more, named by its `card.toml`, of the module, or in the format, that the card names.
    """
    found: dict[str, type[Module]] = {}
    problems: dict[str, str] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        module = _loaded(point)
        if isinstance(module, str):
            problems[point.name] = module
        else:
            found[module.name] = module
    for folder in sorted(models.iterdir()) if models else ():
        if not (folder / CARD).is_file():
            continue
        try:
            module = _with_model(folder, found)
        except Exception as error:  # noqa: BLE001 - whatever lies in a folder, the others work
            named = isinstance(error, ConfigurationError)
            problems[folder.name] = str(error) if named else f"{folder}: {type(error).__name__}"
        else:
            found[module.name] = module
    return found, problems


def _loaded(point: EntryPoint) -> type[Module] | str:
    """The module class of an entry point, or why there is none."""
    try:
        module: type[Module] = point.load()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything while it loads
        return f"{point.value} does not load: {type(error).__name__}: {error}"
    missing = [member for member in MEMBERS if not hasattr(module, member)]
    return f"{point.value} has no {', '.join(missing)}" if missing else module


def _with_model(folder: Path, found: Mapping[str, type[Module]]) -> type[Module]:
    """The module that the card in `folder` names, with the model in that folder."""
    try:
        base = tomllib.loads((folder / CARD).read_text()).get("module")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / CARD}: {error}") from error
    takers = {name: module for name, module in found.items() if hasattr(module, "with_model")}
    if base in FORMATS.names:
        takers[base] = FORMATS.load(base)
    if base not in takers:
        raise ConfigurationError(
            f"{folder / CARD}: module is {base!r}, which takes no model of yours; these do:"
            f" {', '.join(sorted({*takers, *FORMATS.names}))}"
        )
    module: type[Module] = takers[base].with_model(folder)
    if module.name in found:
        raise ConfigurationError(f"{folder / CARD}: there is a module {module.name!r} already")
    return module
