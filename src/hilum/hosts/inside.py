"""What happens inside the process of a module: it is loaded, then runs one job after the other.

The DICOM files are read here, so that hostile pixel data harms nobody else. What was found goes
to the worker by `hosts.shelf`; nothing is written to the disk.
"""

import mmap
import os
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

import numpy as np

from hilum.config.fields import JSONValues
from hilum.dicom.film import Film
from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.engine.checking import checked
from hilum.errors import (
    ConfigurationError,
    DicomError,
    FindingError,
    is_of_the_machine,
    is_said_by_us,
    where,
)
from hilum.findings import Findings, Note, Refusal
from hilum.hosts.asking import Asking
from hilum.hosts.channel import (
    LONGEST_TEXT,
    Ended,
    ModuleAnswer,
    Order,
    asked,
    let_go,
    send,
)
from hilum.hosts.elsewhere import FailedElsewhere
from hilum.hosts.shelf import Letter, put
from hilum.hosts.walls.deeds import deed_of, named
from hilum.inbox.room import is_full
from hilum.module import (
    Module,
    earlier_for,
    exam_name,
    facts_of,
    findings_for,
    inputs_of,
    needs_of,
    package_of,
    parameters_of,
)
from hilum.servers import Ask
from hilum.wording import counted
from hilum_module.places import readable

EXCHANGED = "its files were replaced while Hilum ran: restart Hilum, then `hilum retry WORKITEM`"

EARLIER = "of an earlier exam: "

Inputs = Mapping[str, Sequence[Part]]
Pictures = dict[str, np.ndarray]
Images = Series | tuple[Film, ...]  # what `run` gets for one input of images


def run_here(
    module: Module, given: Inputs, pictures: Pictures, parameters: JSONValues | None = None
) -> Findings:
    """Run `module` in this process on the images that are `given` for each input.

    `pictures` takes those of the films, also where the module raises. `parameters` are those that
    the rule sets. Input that cannot be read as the module needs it gives a `Refusal`, not an error;
    what the machine lacks raises `MachineError`, because no image is to blame.
    """
    inputs: dict[str, Images] = {}
    findings = Findings()
    try:
        images = inputs_of(module)
        inputs = {name: need.read(given[name]) for name, need in images.items() if name in given}
        beside = _beside(module, given)
        absent = dict.fromkeys(needs_of(module))
        all_of_it = {**absent, **inputs, **beside}
        by_name = isinstance(module.needs, Mapping)
        run = partial(module.run, **(all_of_it if by_name else {}))
        run = run if by_name else partial(module.run, *all_of_it.values())
        chosen = parameters_of(module, parameters or {})
        run = run if chosen is None else partial(run, parameters=chosen)
        findings = checked(run, tuple(inputs.values()), package_of(module))
        cautions = (*_cautions(inputs.values()), *_cautions(_exams(beside), EARLIER))
        findings = Findings((*findings.items, *cautions))
    except DicomError as error:
        findings = Findings((Refusal("unreadable-input", f"The images cannot be used: {error}."),))
    finally:
        pictures.update(_pictures(tuple(inputs.values()), findings))
    return findings


def _beside(module: Module, given: Inputs) -> dict[str, Findings | tuple[Images, ...]]:
    """What `run` gets that is not of the exam itself: findings, and earlier exams."""
    found: dict[str, Findings | tuple[Images, ...]] = {}
    for name in findings_for(module):
        if name in given:
            items, arrays = (part.path for part in given[name])
            found[name] = exchange.read(items, arrays)
    images = inputs_of(module)
    for name, need in earlier_for(module).items():
        exams = (exam_name(name, number) for number in range(need.most))
        found[name] = tuple(images[need.on].read(given[exam]) for exam in exams if exam in given)
    return found


def _exams(beside: Mapping[str, Findings | tuple[Images, ...]]) -> Iterator[Images]:
    """The earlier exams among what a run gets beside its images."""
    for given in beside.values():
        if not isinstance(given, Findings):
            yield from given


def _cautions(inputs: Iterable[Images], whose: str = "") -> Iterator[Note]:
    """What a reader must know of the analysed series that the module does not say."""
    for given in inputs:
        if isinstance(given, Series):
            yield from (Note(f"{whose}{text}", caution=True) for text in given.cautions)


def _pictures(inputs: Iterable[Images], findings: Findings) -> Pictures:
    """Pictures by SOP Instance UID: of every film, and of each image that a finding is about."""
    films: list[Film] = []
    for given in inputs:
        if isinstance(given, Series):
            named = [i for i in given.instances if i.sop_instance_uid in findings.images]
            films += map(Film, named)
        else:
            films += given
    return {film.uid: film.picture for film in films if film.picture is not None}


def serve(load: Callable[[Ask], Module], pipe: socket.socket, shelf: int, remark: str = "") -> None:
    """Load the module, say so, then run one job after the other until the worker ends.

    `load` gets what asks a server by way of the worker. `shelf` is the descriptor of a `Shelf`,
    `remark` what the worker is to know beside.
    """
    asking = Asking(pipe, shelf)
    with suppress(EOFError, ConnectionError):  # the worker is gone; so are we
        try:
            module = load(asking.ask)
            weights = facts_of(module).weights_sha256
        except BaseException as error:  # noqa: BLE001 - a plug-in may raise anything, SystemExit too
            # no patient's data are here yet, and a hospital's own network needs the whole reason
            said = isinstance(error, ConfigurationError | FailedElsewhere)
            reason = str(error) if said else where(error)
            deed = deed_of(error)
            text = named(deed, reason) if deed else reason
            send(pipe, _failed(0, f"the module does not load: {text}"))
            return
        send(pipe, ModuleAnswer(number=0, ended=Ended.WELL, text=remark[:LONGEST_TEXT]))
        with mmap.mmap(shelf, 0) as memory:
            os.close(shelf)
            while True:
                run, inputs, lost = asked(pipe)
                asking.number = run.number
                # A result must name the network that made it: one that was exchanged is not.
                if run.weights_sha256 != weights:
                    answer = _failed(run.number, EXCHANGED)
                elif lost:
                    answer = _lacks(run.number, lost)
                else:
                    answer = _run(module, run, inputs, memoryview(memory))
                let_go(inputs)
                send(pipe, answer)


def _failed(number: int, text: str) -> ModuleAnswer:
    return ModuleAnswer(number=number, ended=Ended.FAILED, text=readable(text)[:LONGEST_TEXT])


def _lacks(number: int, lost: int) -> ModuleAnswer:
    text = f"{counted(lost, 'file')} of the study are more than the module's process may open"
    return ModuleAnswer(number=number, ended=Ended.EXHAUSTED, text=text)


def _run(module: Module, run: Order, inputs: Inputs, memory: memoryview) -> ModuleAnswer:
    """Run one job; only this workitem ends, whatever is raised."""
    pictures: Pictures = {}
    letter = Letter()
    ended, text = Ended.WELL, ""
    try:
        found = run_here(module, inputs, pictures, run.parameters)
        items, arrays = exchange.as_items(found)
        letter = Letter(items, arrays, pictures)
        return ModuleAnswer(number=run.number, ended=ended, length=put(letter, memory))
    except BaseException as error:  # noqa: BLE001 - around one workitem: a module may raise anything
        ended, text = _ending(error, module)
        letter = Letter(pictures=pictures, traceback=_traceback(error))
    return ModuleAnswer(
        number=run.number,
        ended=ended,
        text=readable(text)[:LONGEST_TEXT],
        length=put(letter, memory),
    )


def _ending(error: BaseException, module: Module) -> tuple[Ended, str]:
    if isinstance(error, FailedElsewhere):
        return error.ended, str(error)
    if is_full(error):
        return Ended.NO_ROOM, ""
    said = is_said_by_us(error) and not isinstance(error, FindingError)
    place = where(error, package_of(module))
    if (deed := deed_of(error)) and not said:
        return Ended.FAILED, named(deed, place)
    text = str(error) if said else f"the module raised {place}"
    return Ended.EXHAUSTED if is_of_the_machine(error) else Ended.FAILED, text


def _traceback(error: BaseException) -> str:
    if isinstance(error, FailedElsewhere):
        return error.traceback
    return readable("".join(traceback.format_exception(error)))
