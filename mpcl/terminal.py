"""Standard output as it comes: of any encoding, left by its reader, or closed."""

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

PLAIN = {"↓": "v", "↑": "^", "–": "-", "µ": "u", "°": "deg ", "…": "..."}


def plain(error: UnicodeError) -> tuple[str, int]:
    """Letters that an output lacks in letters that every output has.

    Example:
        >>> "kl ↓ ä 李".encode("ascii", "mpcl-plain")
        b'kl v a ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters: list[str] = []
    for letter in error.object[error.start : error.end]:
        simple = unicodedata.normalize("NFKD", PLAIN.get(letter, letter))
        letters.append(simple.encode("ascii", "ignore").decode() or "?")
    return "".join(letters), error.end


codecs.register_error("mpcl-plain", plain)


class Output(io.TextIOBase):
    """A stream that goes on, into nothing, once nobody reads it (``| head``)."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    # pyrefly: ignore[missing-override-decorator]  # of Python 3.12 and newer
    def write(self, text: str) -> int:
        self._try(self.stream.write, text)
        return len(text)

    # pyrefly: ignore[missing-override-decorator]
    def flush(self) -> None:
        self._try(self.stream.flush)

    # pyrefly: ignore[missing-override-decorator]
    def isatty(self) -> bool:
        return self.stream.isatty()

    def _try(self, action: Callable[..., object], *arguments: str) -> None:
        try:
            action(*arguments)
        except BrokenPipeError:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self.stream.fileno())


@contextmanager
def tolerant() -> Generator[None]:
    """Print what can be printed: no letter, reader or closed stream stops a run.

    Raises:
        OSError: where what was printed cannot be kept, as on a full disk.
    """
    streams = sys.stdout, sys.stderr
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="mpcl-plain")
            setattr(sys, name, Output(stream))
    try:
        yield
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        sys.stdout, sys.stderr = streams
