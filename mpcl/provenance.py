"""What made a number: code, commit, versions and device. Imports nothing of mpcl."""

import ast
import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "mpcl"
NUMERICAL = ("torch", "numpy", "scipy", "scikit-learn", "xarray", "neurokit2")


def _is_text(node: object) -> bool:
    """Whether a syntax node is a docstring, or text that stands for nothing else."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _words(node: object) -> str:
    if isinstance(node, list):
        return f"[{','.join(_words(child) for child in node if not _is_text(child))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_words(value)}"
        for name, value in ast.iter_fields(node)
        if value is not None and value != []
    ]
    return f"{type(node).__name__}({','.join(fields)})"


@lru_cache(maxsize=512)
def syntax(source: str) -> str:
    """What Python source does: no comments, docstrings or positions.

    The same in every version of Python.

    >>> syntax("def f():\\n    'A text.'\\n    return 1  # one") == syntax(
    ...     "def f(): return 1")
    True
    """
    return _words(ast.parse(source).body)


def _imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements in a node, but for those made for types alone."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _imports(child)


@lru_cache(maxsize=512)
def imported(source: str, package: str = "") -> frozenset[str]:
    """Dotted names that Python source imports, wherever the statement stands.

    ``from a import b`` gives both ``a`` and ``a.b``, since ``b`` may be a module.
    Relative imports start at ``package``. Imports for types alone do not count.

    >>> sorted(imported("from mpcl.data import labels"))
    ['mpcl.data', 'mpcl.data.labels']
    """
    names: set[str] = set()
    for node in _imports(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        else:
            base = resolve_name("." * node.level + (node.module or ""), package)
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return frozenset(names)


def file_of(module: str, root: Path) -> Path | None:
    """The file of a module under a root, or ``None``."""
    base = root.joinpath(*module.split("."))
    paths = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in paths if path.exists()), None)


def reachable(source: str, root: str | Path = ROOT) -> dict[str, Path]:
    """The modules of ``mpcl`` under a root that running Python source may load.

    Imports are followed, not run; a name in a string is not an import. Sorted.
    """
    modules: dict[str, Path] = {}
    names = set(imported(source))
    while names:
        name = names.pop()
        path = file_of(name, Path(root))
        if path and name not in modules and name.split(".")[0] == PACKAGE:
            modules[name] = path
            parent = name.rpartition(".")[0]
            package = name if path.stem == "__init__" else parent
            names |= imported(path.read_text(encoding="utf-8"), package) | {parent}
    return dict(sorted(modules.items()))


def hash_of(*items: str | bytes) -> str:
    """16 hexadecimal digits of SHA-256 over items, which cannot run into another."""
    texts = [item.encode() if isinstance(item, str) else item for item in items]
    sized = b"".join(len(text).to_bytes(8, "big") + text for text in texts)
    return hashlib.sha256(sized).hexdigest()[:16]


def hash_of_code(modules: Mapping[str, Path]) -> str:
    """Hash of what modules do, each under its name; comments do not count."""
    digests = (
        hash_of(name, syntax(path.read_text(encoding="utf-8")))
        for name, path in sorted(modules.items())
    )
    return hash_of(*digests)


def code_of(*modules: str) -> str:
    """Hash of all code of ``mpcl`` that importing modules may load.

    Cache keys and the fingerprints of scores use it. ``mpcl/__init__.py`` is left
    out: it holds the version and the public names, and makes no number.

    >>> code_of("mpcl.splits") == code_of("mpcl.splits", "mpcl.data.contract")
    True
    """
    files = reachable("\n".join(f"import {name}" for name in modules))
    unknown = set(modules) - set(files)
    if unknown:
        raise ImportError(f"there is no module {min(unknown)}")
    return hash_of_code({name: files[name] for name in files if name != PACKAGE})


def loaded_code() -> str:
    """Hash of the modules of ``mpcl`` that the running program has loaded."""
    names = [name for name in sys.modules if name.split(".")[0] == PACKAGE]
    files = {name: file_of(name, ROOT) for name in names}
    return hash_of_code({name: path for name, path in files.items() if path})


def commit() -> str:
    """The commit of the checkout, ``+`` behind it if changed, else ``unknown``."""
    command = "git status --porcelain=v2 --branch --untracked-files=no --".split()
    try:
        done = subprocess.run(
            [*command, PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    lines = done.stdout.splitlines()  # the first is "# branch.oid" and the commit
    head = lines[0].split()[-1][:12]
    return head if all(line.startswith("#") for line in lines) else f"{head}+"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    numbers = {name: version(name).split("+")[0] for name in NUMERICAL}
    return {"python": platform.python_version(), **numbers}


def device_name(device: "torch.device") -> str:
    """Such as ``cpu (x86_64)``, or the name of the graphics card."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()})"
