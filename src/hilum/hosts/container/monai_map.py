"""The format "monai-map": MONAI Application Packages, as MONAI Deploy and Holoscan build them."""

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.config.fields import JSONValues
from hilum.errors import ModuleError
from hilum.hosts.container.card import ContainerModule
from hilum.hosts.container.folders import RunFolders
from hilum.hosts.container.program import ContainerOrder, Containers, as_json

MANIFESTS = ("/etc/holoscan/app.json", "/etc/monai/app.json")  # now, and before


class _Folder(BaseModel):
    path: str = Field(min_length=1)


class Manifest(BaseModel):
    """What `app.json` says of how an application starts (monai-application-package.md).

    `command` is a text that holds a JSON list, or words as for a shell.
    """

    model_config = ConfigDict(populate_by_name=True, extra="ignore")
    command: str | list[str]
    environment: dict[str, str] = {}
    workdir: str = Field("/", alias="workingDirectory")
    input: _Folder
    output: _Folder

    @property
    def words(self) -> Sequence[str]:
        """The command as words."""
        if isinstance(self.command, list):
            return self.command
        listed = as_json(self.command.encode())
        if isinstance(listed, list):
            return [str(word) for word in listed]
        return shlex.split(self.command)

    @property
    def folders(self) -> tuple[str, str]:
        """The absolute paths of input and output; each may be relative to the working directory.

        `ModuleError` for such as no container can be given: two that are one, or the whole image.
        """
        given, left = (str(PurePosixPath(self.workdir) / f.path) for f in (self.input, self.output))
        if given == left or "/" in (given, left) or ":" in given + left:
            raise ModuleError(f"the image names {given} and {left} as its input and output folders")
        return given, left


class MonaiMap(ContainerModule):
    """A MAP: its `card.toml` names the image; how it starts is read out of the image.

    Settings become variables of its environment: the contract knows no others.
    """

    def order(
        self, containers: Containers, case: RunFolders, settings: JSONValues
    ) -> ContainerOrder:
        manifest = read_manifest(containers, self.described.image)
        given, left = manifest.folders
        environment = {
            **manifest.environment,
            **self.described.environment,
            **{key: str(value) for key, value in settings.items()},
            "HOLOSCAN_INPUT_PATH": given,
            "HOLOSCAN_OUTPUT_PATH": left,
            "MONAI_INPUTPATH": given,
            "MONAI_OUTPUTPATH": left,
        }
        return ContainerOrder(
            self.described.image,
            environment,
            {given: case.given, left: case.left},
            manifest.words,
            manifest.workdir,
            as_image_says=True,  # its packages lie in that user's home
        )


def read_manifest(containers: Containers, image: str) -> Manifest:
    """The manifest in `image`; `ModuleError` where there is none, or it says no command."""
    for path in MANIFESTS:
        content = containers.read(image, path)
        if content is not None:
            break
    else:
        raise ModuleError(f"the image is no MAP: it has neither {' nor '.join(MANIFESTS)}")
    try:
        manifest = Manifest.model_validate_json(content)
        if not manifest.words:
            raise ModuleError(f"{path} in the image names no command")
    except ValidationError as error:
        places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise ModuleError(f"{path} in the image cannot be used: {places}") from error
    except ValueError as error:
        raise ModuleError(f"{path} in the image has a command that cannot be read") from error
    return manifest
