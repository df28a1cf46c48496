"""The archive of a test: a real Orthanc that nobody needs afterwards."""

from types import TracebackType

from hilum_lab.network import orthanc


class Orthanc(orthanc.Orthanc):
    """An Orthanc that is killed at the end of `with`: to stop in order takes it 3.5 seconds."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
