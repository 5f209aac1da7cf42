"""What a class handed in: answers by the names of their functions, in any file."""

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mpcl.errors import ParameterError
from mpcl.teaching import lab
from mpcl.teaching.chapter import Exercise, names_of

KINDS = (".ipynb", ".py", ".zip")
COPIES = {".ipynb_checkpoints", "__MACOSX"}  # folders of what nobody handed in
LARGEST = 20_000_000  # bytes of a file, and of all that comes out of an archive
DEFINES = (
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.Import,
    ast.ImportFrom,
)
MAGIC = re.compile(r"(?m)^[ \t]*([%!?].*|[\w.]+\?{1,2}|[\w., ]+ = *[%!].*)$")
MOODLE = re.compile(r"_(\d+)_assignsubmission.*")
BLOCKS = re.compile(r"(?m)^(?=def |class |import |from |\w+ *=)")


@dataclass(frozen=True)
class Answer:
    """A student's answer to an exercise, or why there is none."""

    source: str = ""
    support: str = ""  # what else of the student's file it needs
    missing: str = ""  # a sentence, where there is nothing to grade


@dataclass(frozen=True)
class Part:
    """A statement of a file, or a piece that is no Python."""

    source: str
    node: ast.stmt | None
    error: str = ""


@dataclass
class Submission:
    """All that a student handed in."""

    student: str
    number: str = ""  # that Moodle gave, where it did
    parts: list[Part] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)  # by exercise


def collect(inbox: Path, name: str) -> list[Submission]:
    """The submissions in a folder to the exercises of a chapter, by student.

    Raises:
        ParameterError: where there is no such folder or chapter, or nothing in it.
    """
    path = lab.chapter_path(name)
    name = path.stem.split("_")[0]  # 01, where 1 was given
    given = names_given(path)
    if not inbox.is_dir():
        raise ParameterError(f"{inbox} is no folder; give the one with what came in")
    by_student: dict[str, Submission] = {}
    for file in sorted(inbox.rglob("*"), key=lambda file: file.lstat().st_mtime):
        place = file.relative_to(inbox)
        if file.suffix.lower() not in KINDS or COPIES & set(place.parts):
            continue
        parts, notes = parts_of(file)
        student = student_of(place, parts, name)
        number = "".join(MOODLE.findall(place.parts[0]))
        if number and student in by_student and by_student[student].number != number:
            student = f"{student}_{number}"  # another person of this name
        submission = by_student.setdefault(student, Submission(student, number))
        submission.files.append(readable(str(place)))
        submission.parts += parts
        submission.notes += notes
    if not by_student:
        raise ParameterError(f"{inbox} holds no .ipynb, .py or .zip")
    for submission in by_student.values():
        submission.answers = {
            task.id: answer_to(task, submission, given) for task in lab.tasks(name)
        }
    return [by_student[student] for student in sorted(by_student)]


def left_out(inbox: Path) -> list[str]:
    """The files that no answer is looked for in, such as ``anna.ipynb.txt``."""
    return [
        readable(str(file.relative_to(inbox)))
        for file in sorted(inbox.rglob("*"))
        if file.suffix.lower() not in KINDS and file.is_file()
    ]


def names_given(path: Path) -> set[str]:
    """The names that the student's notebook of a chapter defines before any answer."""
    cells = [c for c in lab.student_cells(path) if c.kind == "code" and not c.tags]
    return {name for cell in cells for name in names_of(cell.source)[0]}


def function_of(task: Exercise) -> str:
    """The name of the function that an exercise asks for.

    The stub is the last statement of its cell: ``def largest_share(...)``.
    """
    return re.findall(r"(?m)^def (\w+)", task.stub)[-1]


def parts_of(file: Path) -> tuple[list[Part], list[str]]:
    """The statements of a file, and what is wrong with it."""
    parts: list[Part] = []
    notes: list[str] = []
    try:
        for name, data in contents(file):
            if data is None:
                notes.append(f"{name} was left out of {file.name}: unpack it yourself")
                continue
            try:
                for piece in pieces(name, data):
                    parts += statements(piece)
            except Exception as error:  # as many kinds as ways to damage a file
                notes.append(f"{name} cannot be read: {type(error).__name__}")
    except Exception as error:
        notes.append(f"{file.name} cannot be read: {error}")
    notes += [f"{file.name}: {part.error}" for part in parts if part.error]
    if not parts:
        notes.append(f"{file.name} holds no code")
    return parts, [readable(note) for note in notes]


def contents(file: Path) -> Iterator[tuple[str, bytes | None]]:
    """The notebooks and scripts of a file; nothing of an archive is unpacked to disk.

    ``None`` for a member whose path leaves the archive's folder, and for an archive
    within it. The oldest comes first, since of several answers the last one counts.
    """
    if file.is_symlink() or not file.is_file():
        raise OSError("it is a link or a folder, no file")
    if file.stat().st_size > LARGEST:
        raise OSError(f"it has more than {LARGEST // 10**6} MB")
    if file.suffix.lower() != ".zip":
        yield file.name, file.read_bytes()
        return
    room = LARGEST
    with zipfile.ZipFile(file) as archive:
        for member in sorted(archive.infolist(), key=lambda each: each.date_time):
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.suffix.lower() not in KINDS or COPIES & set(path.parts):
                continue
            leaves = path.is_absolute() or ".." in path.parts or ":" in path.parts[0]
            if leaves or path.suffix.lower() == ".zip":
                yield member.filename, None
                continue
            with archive.open(member) as opened:
                data = opened.read(room + 1)
            room -= len(data)
            if room < 0:
                raise OSError(f"it unpacks to more than {LARGEST // 10**6} MB")
            yield path.name, data


def pieces(name: str, data: bytes) -> list[str]:
    """The code cells of a notebook, or the parts of a script between ``# %%``."""
    text = decoded(data)
    if name.lower().endswith(".py"):
        return re.split(r"(?m)^# ?%%.*$", text)
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    return [readable("".join(cell.get("source") or "")) for cell in code]


def decoded(data: bytes) -> str:
    """The text of a file, in UTF-8, or as older editors of Windows write it.

    Example:
        >>> decoded("Größe".encode("utf-16")) == decoded("Größe".encode("cp1252"))
        True
    """
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def readable(text: str) -> str:
    r"""A text that can be printed and written; half characters become ``?``.

    Example:
        >>> readable("M\udcfcller.py")
        'M?ller.py'
    """
    return text.encode("utf-8", errors="replace").decode("utf-8")


def statements(piece: str) -> list[Part]:
    """The statements of a cell; a syntax error spoils its own function alone."""
    text = piece.replace("\r\n", "\n")
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        plain = MAGIC.sub("", text)
        if plain != text:
            return statements(plain)
        blocks = [block for block in BLOCKS.split(text) if block.strip()]
        if len(blocks) > 1:
            return [part for block in blocks for part in statements(block)]
        begin = text.strip().splitlines()[0][:60]
        line = f" in its line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return [Part(text, None, f"`{begin}`: {error.args[0]}{line}")]
    lines = text.splitlines()
    parts: list[Part] = []
    for node in body:
        above = getattr(node, "decorator_list", [])
        begin_line = min([node.lineno, *(item.lineno for item in above)])
        source = "\n".join(lines[begin_line - 1 : node.end_lineno])
        parts.append(Part(source, node))
    return parts


def student_of(file: Path, parts: list[Part], name: str) -> str:
    """Who handed a file in: a cell ``STUDENT = "..."``, else its folder or its name.

    Example:
        >>> student_of(Path("anna_lab_01.ipynb"), [], "01")
        'anna'
        >>> student_of(Path("Bo Li_4711_assignsubmission_file/x.zip"), [], "01")
        'Bo_Li'
    """
    first = file.parts[0] if len(file.parts) > 1 else file.stem
    words = rf"(?i)[\W_]+(lab|student|{re.escape(name)})(?![^\W_])"
    student = re.sub(words, "", MOODLE.sub("", first))
    for part in parts:
        match = re.fullmatch(r"STUDENT *= *(['\"])(.+?)\1.*", part.source)
        student = match[2] if match else student
    return re.sub(r"[^\w.]+", "_", student).strip("._")[:80] or "nameless"


def answer_to(task: Exercise, submission: Submission, given: set[str]) -> Answer:
    """The last answer to an exercise that is no stub; several are noted."""
    name = function_of(task)
    defined = [part for part in submission.parts if name in definitions(part)]
    answered = [part for part in defined if not is_stub(part.node)]
    if answered:
        if len({ast.dump(part.node) for part in answered if part.node}) > 1:
            note = f"`{name}` is there {len(answered)} times: the last one counts"
            submission.notes.append(note)
        chosen = answered[-1].source
        return Answer(chosen, support(chosen, submission.parts, given | {name}))
    begin = re.compile(rf"\bdef {name}\b")
    errors = [p.error for p in submission.parts if p.error and begin.search(p.source)]
    if errors:
        return Answer(missing=f"it is no Python yet: {errors[-1]}")
    if defined:
        return Answer(missing="not answered")
    return Answer(missing=f"there is no function `{name}`: was it renamed or deleted?")


def definitions(part: Part) -> set[str]:
    """The names that a statement defines: a function, a class, an import, a value."""
    return names_of(part.source)[0] if isinstance(part.node, DEFINES) else set()


def is_stub(node: ast.stmt | None) -> bool:
    """Whether nothing but the line to be replaced stands in a function."""
    return isinstance(node, ast.FunctionDef) and all(
        isinstance(line, ast.Raise | ast.Pass)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in node.body
    )


def support(source: str, parts: list[Part], given: set[str]) -> str:
    """What an answer needs of the rest of its file; a chapter's names are its own."""
    wanted = names_of(source)[1] - given
    places: set[int] = set()
    while True:
        fresh = [
            place
            for place, part in enumerate(parts)
            if place not in places and definitions(part) & wanted
        ]
        if not fresh:
            return "\n".join(parts[place].source for place in sorted(places))
        places.update(fresh)
        for place in fresh:
            wanted |= names_of(parts[place].source)[1] - given
