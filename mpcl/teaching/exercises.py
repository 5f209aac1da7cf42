"""The verdict on an answer: how much of it holds, and what the first mistake is.

A check is a function that stands open on the page. It takes answers and calls
``expect`` for each thing that must hold, with a hint for whoever has it wrong.
"""

import copy
import inspect
import linecache
import os
import re
import signal
import threading
from _thread import interrupt_main
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from mpcl.errors import DatasetError, ParameterError

SECONDS = 30.0  # that an answer may take
STUB = "write your answer in place of `raise NotImplementedError`"
NOTHING = "Your function returned nothing: is a `return` missing?"


class NotYet(AssertionError):
    """A graded answer that does not pass, with the sentence that says why."""


@dataclass(frozen=True)
class Verdict:
    """How many expectations hold, and the hint of the first that does not."""

    held: int
    total: int
    hint: str = ""
    stopped: bool = False  # the check did not come to its end

    @property
    def passed(self) -> bool:
        """Whether all of it holds."""
        return not self.hint

    def __str__(self) -> str:
        if self.passed:
            return "Passed."
        if self.stopped or self.total < 2:
            return f"Not yet: {self.hint}"
        return f"Not yet: {self.hint} ({self.held} of {self.total} hold)"

    def _ipython_display_(self) -> None:
        """Show nothing: ``verdict`` has printed it."""


_open: list[list[tuple[bool, str]]] = []  # what the check that runs now has counted


def expect(condition: object, hint: str) -> None:
    """Count whether something holds of an answer; the check goes on either way.

    Outside of ``verdict`` it is an assertion.
    """
    holds = bool(condition)
    if _open:
        _open[-1].append((holds, hint))
    elif not holds:
        raise AssertionError(hint)


def expect_close(
    answer: object, wanted: object, hint: str, tolerance: float = 1e-6
) -> None:
    """Expect numbers of the same shape, each as near as the tolerance.

    Example:
        >>> expect_close([1, 2], [1, 2, 3], "one number an emotion")
        Traceback (most recent call last):
        AssertionError: one number an emotion: the shape is (2,), not (3,)
    """
    first, second = _array(answer), _array(wanted)
    if first.shape != second.shape:
        expect(False, f"{hint}: the shape is {first.shape}, not {second.shape}")
    else:
        expect(np.allclose(first, second, rtol=0, atol=tolerance), hint)


def expect_words(text: object, least: int, most: int, *named: tuple[str, str]) -> None:
    """Expect a text of so many words that names things; a person says if it is good.

    Args:
        named: what it has to name, in words, and the pattern that is looked for.

    Example:
        >>> expect_words("We chose KL.", 2, 9, ("a measure", "kl|clark"))
    """
    words = len(str(text).split())
    expect(isinstance(text, str), "a text was asked for: return it in quotes")
    expect(words >= least, f"{words} words are too few; write {least} to {most}")
    expect(words <= most, f"{words} words are too many; write {least} to {most}")
    for name, pattern in named:
        expect(re.search(pattern, str(text), re.I), f"your text does not name {name}")


def verdict(
    check: Callable[..., object],
    *answers: object,
    strict: bool = False,
    seconds: float = SECONDS,
) -> Verdict:
    """Say whether an answer passes its check.

    Without answers, the functions of the notebook that the check names are judged. The
    page is run with the question unanswered, so a check that fails must not stop it;
    where it is graded (``strict``, or ``MPCL_GRADING=1``), it must.

    Raises:
        NotYet: where it is graded and something does not hold.

    Example:
        >>> def check_double(double):
        ...     expect(double(2) == 4, "double(2) should be 4")
        ...     expect(double(0) == 0, "twice nothing is nothing")
        >>> result = verdict(check_double, lambda x: x)
        Not yet: double(2) should be 4 (1 of 2 hold)
        >>> result = verdict(check_double, lambda x: 2 * x)
        Passed.
    """
    result = judge(check, answers or _named(check), seconds)
    print(result)
    if not result.passed and (strict or os.environ.get("MPCL_GRADING") == "1"):
        raise NotYet(str(result))
    return result


def judge(
    check: Callable[..., object], answers: tuple[object, ...], seconds: float = SECONDS
) -> Verdict:
    """The verdict of a check on answers, with nothing printed."""
    for name, answer in zip(inspect.signature(check).parameters, answers, strict=False):
        if answer is None:
            hint = f"there is no `{name}` yet: run the cell that defines it"
            return Verdict(0, 0, hint, stopped=True)
        if not callable(answer):
            return Verdict(0, 0, f"`{name}` is no function any more", stopped=True)
    counted: list[tuple[bool, str]] = []
    stop = ""
    guarded = [_Answer(answer) for answer in answers if callable(answer)]
    _open.append(counted)
    try:
        with _limited(seconds):
            check(*guarded)
    except (Exception, SystemExit) as error:  # whatever a first attempt may raise
        stop = _why(error, guarded)
    finally:
        _open.pop()
    failed = [hint for holds, hint in counted if not holds]
    hint = [*failed, stop][0]  # what failed before the stop comes first
    return Verdict(len(counted) - len(failed), len(counted), hint, bool(stop))


class _Answer:
    """A student's function, which gets copies, so that it cannot change the page's."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.__wrapped__ = function
        self.returned: object = None

    def __call__(self, *arguments: object, **options: object) -> object:
        copies = [_copied(value) for value in arguments]
        by_name = {name: _copied(value) for name, value in options.items()}
        self.returned = self.__wrapped__(*copies, **by_name)
        if self.returned is None:
            raise NotYet(NOTHING)
        return self.returned


def _named(check: Callable[..., object]) -> tuple[object, ...]:
    """The values, in the notebook of a check, of the names that it takes."""
    namespace = inspect.unwrap(check).__globals__
    return tuple(namespace.get(name) for name in inspect.signature(check).parameters)


def _copied(value: object) -> object:
    if hasattr(value, "detach") and hasattr(value, "clone"):
        return value.clone()  # a tensor, and its gradient goes through
    try:
        return copy.deepcopy(value)
    except Exception:  # what cannot be copied is passed as it is
        return value


def _array(value: object) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value, float)


@contextmanager
def _limited(seconds: float) -> Generator[None]:
    """Stop what runs for too long; it works on Windows too, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # another program in this process may have changed what an interrupt does
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, interrupt_main)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if timer.finished.is_set():
            sentence = f"it takes more than {seconds:g} s: does a loop never end?"
            raise TimeoutError(sentence) from None
        raise
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


def _why(error: BaseException, answers: list[_Answer]) -> str:
    """Why a check stopped, in words for whoever wrote the answer."""
    if isinstance(error, NotImplementedError):
        return STUB
    if isinstance(error, NotYet | TimeoutError):
        return str(error)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    line = _own_line(error.__traceback__, answers)
    if line:
        return f"{line} stops with {reason}"
    if isinstance(error, AssertionError | DatasetError | ParameterError) and str(error):
        return str(error)
    values = [answer.returned for answer in answers if answer.returned is not None]
    if not values:
        return f"the check cannot call your function: {reason}"
    kinds = ", ".join(type(value).__name__ for value in values)
    return f"your function returned {kinds}, and the check stops: {reason}"


def _own_line(trace: TracebackType | None, answers: list[_Answer]) -> str:
    """The last line of an answer's own cell that an exception went through."""
    codes = [getattr(answer.__wrapped__, "__code__", None) for answer in answers]
    files = {code.co_filename for code in codes if code}
    line, inside = "", False
    while trace:
        code = trace.tb_frame.f_code
        if inside and code.co_filename in files:
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            line = f"your line {trace.tb_lineno}, `{text}`," if text else "your code"
        inside = inside or code is _Answer.__call__.__code__
        trace = trace.tb_next
    return line
