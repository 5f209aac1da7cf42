"""Answers judged in processes of their own, within limits.

The limits keep accidents away (a loop without end, a flood, a hog), not malice: student
code is code, so grade in a container.
"""

import ctypes
import json
import linecache
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from mpcl.teaching import lab
from mpcl.teaching.collect import Answer, function_of, readable
from mpcl.teaching.exercises import Verdict, judge

State = dict[str, object]
LATE = "it takes too long: does a loop never end?"
DIED = "Python ended before the check did: does it use too much memory, or exit?"
WAITING = 6.0  # times longer by the clock, for a crowded machine
OUT_OF_TIME = -24  # how a process ends that Linux stops for its time
NO_NETWORK = 0x50000000  # of Linux: a user and a network namespace of its own
ADOPT = 36  # of Linux's prctl: who outlives an answer becomes a child of the grader
LARGEST_FILE = 10_000_000  # bytes


@dataclass(frozen=True)
class Limits:
    """What an answer may use, and how many are judged at a time."""

    seconds: float = 10.0  # of computing, for each run of a check
    megabytes: int = 1024  # beyond what the chapter itself takes
    jobs: int = os.cpu_count() or 1
    method: str = "fork" if sys.platform == "linux" else "spawn"


@dataclass(frozen=True)
class Job:
    """An answer, and the data on which it has to pass: seed and name, in turn."""

    chapter: str
    exercise: str
    answer: Answer
    data: tuple[tuple[int, str], ...]


Result = tuple[int, Verdict]  # the seed that the answer came to, passed or not


def state(chapter: str, seed: int, data: str) -> State:
    """What the cells of a chapter define, with its checks and without answers."""
    values: State = {"__name__": "__main__"}
    os.environ["MPLBACKEND"] = "agg"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        for cell in lab.student_cells(lab.chapter_path(chapter)):
            if cell.kind == "code" and "exercise" not in cell.tags:
                exec(reseeded(cell.source, seed, data), values)
    return values


def reseeded(source: str, seed: int, data: str) -> str:
    """A cell with other random numbers and data, and without a verdict.

    Example:
        >>> reseeded("random = np.random.default_rng(3)", 2, "simulated")
        'random = np.random.default_rng(5)'
    """
    source = re.sub(r"(?m)^verdict\(.*", "", source)
    source = re.sub(r'(?m)^DATASET = "simulated"', f"DATASET = {data!r}", source)
    source = re.sub(r"(?m)^SEED = 0", f"SEED = {seed}", source)
    numbers = r"(default_rng|manual_seed)\((\d+)\)"
    return re.sub(numbers, lambda m: f"{m[1]}({int(m[2]) + seed})", source)


def run(jobs: list[Job], states: dict[int, State], limits: Limits) -> list[Result]:
    """The verdict on each answer: on the first data that it fails on, or the last.

    ``states`` are what a forked process finds ready; a spawned one makes its own.
    """
    results = [(job.data[0][0], stopped(job.answer.missing)) for job in jobs]
    waiting = [place for place, job in enumerate(jobs) if not job.answer.missing]
    running: dict[Connection, tuple[int, BaseProcess, float]] = {}
    others = children()
    adopt(True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        while waiting or running:
            while waiting and len(running) < limits.jobs:
                place = waiting.pop(0)
                receiver, process = begin(jobs[place], states, limits, folder)
                allowed = limits.seconds if states else limits.seconds + 10
                patience = WAITING * allowed * len(jobs[place].data)
                running[receiver] = place, process, time.monotonic() + patience
            ready = wait(list(running), timeout=0.2)
            for receiver, (place, process, end) in list(running.items()):
                is_late = time.monotonic() > end
                if receiver in ready or is_late:
                    del running[receiver]
                    kill(process)
                    if limits.method == "fork":  # the others need a helper process
                        end_strays(others | {p.pid for _, p, _ in running.values()})
                    is_late = is_late or process.exitcode == OUT_OF_TIME
                    unsaid = results[place][0], stopped(LATE if is_late else DIED)
                    results[place] = received(receiver) or unsaid
    adopt(False)
    return results


def begin(
    job: Job, states: dict[int, State], limits: Limits, folder: str
) -> tuple[Connection, BaseProcess]:
    """Start the process of an answer, which writes its files into a folder."""
    context = multiprocessing.get_context(limits.method)
    receiver, sender = context.Pipe(duplex=False)
    # pyrefly: ignore[missing-attribute]  # each context has its Process
    process = context.Process(target=work, args=(job, states, limits, sender, folder))
    process.start()
    sender.close()
    return receiver, process


def stopped(hint: str) -> Verdict:
    """The verdict on an answer that came to no check."""
    return Verdict(0, 0, hint, stopped=True)


def received(receiver: Connection) -> Result | None:
    """What a process sent before it ended; text, since what it sends is not trusted."""
    try:
        seed, held, total, hint, is_stopped = json.loads(receiver.recv_bytes(10_000))
        return int(seed), Verdict(
            int(held), int(total), readable(str(hint)), bool(is_stopped)
        )
    except (EOFError, OSError, ValueError, TypeError):
        return None


def kill(process: BaseProcess) -> None:
    """End a process and its group."""
    if sys.platform != "win32" and process.pid:
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def children() -> set[int | None]:
    """The processes that this one began or adopted, where it is Linux."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def adopt(is_on: bool) -> None:
    """Let what outlives an answer become a child of this process, as Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, int(is_on))


def end_strays(others: set[int | None]) -> None:
    """End what an answer began and left behind, in whatever group it went."""
    while strays := children() - others:
        for pid in filter(None, strays):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def work(
    job: Job, states: dict[int, State], limits: Limits, sender: Connection, folder: str
) -> None:
    """Judge one answer, in its process."""
    os.chdir(folder)  # what it writes goes with the class
    confine(limits, len(job.data))
    last: tuple[object, ...] = ()
    for seed, data in job.data:
        values = states.get(seed) or state(job.chapter, seed, data)
        verdict = judged(job, values, limits)
        hint = verdict.hint[:600]
        last = seed, verdict.held, verdict.total, hint, verdict.stopped
        if not verdict.passed:
            break
    sender.send_bytes(json.dumps(last).encode())


def judged(job: Job, values: State, limits: Limits) -> Verdict:
    """The verdict on an answer; its check sees only what the chapter defines."""
    task = next(t for t in lab.tasks(job.chapter) if t.id == job.exercise)
    check = values[re.findall(r"(?m)^def (check_\w+)", task.check)[-1]]
    source, name = job.answer.source, f"<answer to {job.exercise}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space = dict(values)
    patience = limits.seconds * WAITING / 2
    if sys.platform == "linux":
        signal.setitimer(signal.ITIMER_PROF, limits.seconds)
        signal.setitimer(signal.ITIMER_REAL, patience)  # it wakes who sleeps
    try:
        exec(job.answer.support, space)
        exec(compile(source, name, "exec"), space)
    except (Exception, SystemExit) as error:
        return stopped(f"its cell stops with {type(error).__name__}: {error}")
    # pyrefly: ignore[bad-argument-type]  # the name of a check is that of a function
    return judge(check, (space.get(function_of(task)),), 2 * patience)


def late(*_: object) -> None:
    """Stop a check; a signal calls it."""
    raise TimeoutError(LATE)


def confine(limits: Limits, runs: int) -> None:
    """Limit what this process may use; by the clock alone where it is not Linux."""
    nowhere = open(os.devnull, "w")  # a flood of output goes nowhere
    sys.stdout = sys.stderr = nowhere
    for number in (1, 2):
        os.dup2(nowhere.fileno(), number)
    if sys.platform == "linux":
        import resource

        os.setsid()
        signal.signal(signal.SIGPROF, late)
        signal.signal(signal.SIGALRM, late)
        most = int(limits.seconds * runs) + 3
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
        ctypes.CDLL(None).unshare(NO_NETWORK)  # where it is allowed
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + limits.megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
