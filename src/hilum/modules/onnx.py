"""What every module does with an ONNX file: it opens it, and looks whether it is what is said."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.errors import ConfigurationError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[attr-defined]


def session_of(weights: Path, threads: int) -> "InferenceSession":
    """An ONNX Runtime session on the CPU that waits quietly between studies."""
    # Only here: processes that ask a module for its facts run no network.
    from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a warm child waits most of the time: do not spin meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def session_of_site(weights: Path, threads: int) -> "InferenceSession":
    """As `session_of`, of a file that a site brought: `ConfigurationError` where it is no network.

    The text holds the reason that ONNX Runtime gives.
    """
    try:
        return session_of(weights, threads)
    except Exception as error:  # ONNX Runtime's own errors share no base class
        raise ConfigurationError(f"{weights}: {error}") from error


def fits(given: Sequence[object], expected: Sequence[int | None]) -> bool:
    """Whether an ONNX shape, whose free sides are names, allows the expected one.

    None is a side that nothing is known of.
    """
    return len(given) == len(expected) and all(
        not isinstance(side, int) or wanted is None or side == wanted
        for side, wanted in zip(given, expected, strict=True)
    )
