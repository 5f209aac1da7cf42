"""Every predictor by name: how it is made, and from which module, imported only then.

Floors and confounds stand in front, for no score stands without them; then checks,
which are no competitors (what memorises, and what has nothing to learn); then peers;
then the network, itself without each of its components, and mixtures.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from mpcl import provenance
from mpcl.errors import ParameterError
from mpcl.evaluation.blind import Predictor, equipped
from mpcl.evaluation.floors import CONDITIONAL, FLOORS
from mpcl.model.config import MPCLConfig
from mpcl.training.settings import Settings

HERE = "mpcl.evaluation"
SCORING = (f"{HERE}.blind", f"{HERE}.metrics")  # what every score depends on
CONFIG = "mpcl.model.config:MPCLConfig"
BUILT = {CONFIG: "mpcl.model.network"}  # from a configuration
READS = ("trials", "windows")


class Entry(NamedTuple):
    """How a predictor is made: ``wrapper(target, settings=..., **parameters)``.

    Attributes:
        wrapper, target: as ``module:name``.
        parameters: of the target, or settings; what tuning chose.
        parts: names of other predictors, which are the target of a mixture.
        most_seeds: as many model seeds at most; None for all that are asked for.
        reads: what it can read, ``trials`` or ``windows``, what it is run on first.
    """

    wrapper: str
    target: str = ""
    parameters: dict[str, Any] = {}
    parts: tuple[str, ...] = ()
    most_seeds: int | None = None
    reads: tuple[str, ...] = READS


def _floor(name: str) -> Entry:
    return Entry(f"{HERE}.floors:Floor", f"{HERE}.floors:{name}", reads=("windows",))


def _table(learner: str, most_seeds: int | None = None, **tuned: Any) -> Entry:
    reads = (tuned["reads"],) if "reads" in tuned else READS
    return Entry(
        f"{HERE}.baselines.classical:Tabular",
        f"{HERE}.baselines.{learner}",
        tuned,
        (),
        most_seeds,
        reads,
    )


def _peer(network: str, **tuned: Any) -> Entry:
    return Entry(f"{HERE}.networks:peer", f"{HERE}.baselines.{network}", tuned)


def _network(most_seeds: int | None = None, **changes: Any) -> Entry:
    reads = "trials" if changes.get("multiscale", True) else "windows"
    return Entry(f"{HERE}.networks:Network", CONFIG, changes, (), most_seeds, (reads,))


BASELINES = {  # the best of 20 points each, data/results/tuning-simulated.csv
    "ridge": _table("classical:ridge", alpha=546.0),
    "knn": _table("classical:knn", neighbours=23),
    "forest": _table("classical:forest", leaf=3, share=0.5),
    "trees": _table("classical:trees", leaf=1, share=1.0),
    "boosting": _table("classical:boosting", rounds=200, depth=4, rate=0.05, share=0.1),
    "mlp": _peer(
        "plain:Perceptron",
        learning_rate=3e-3,
        weight_decay=0.3,
        mixup=0.0,
        dropout=0.5,
        width=128,
    ),
    "transformer": _peer(
        "plain:Transformer",
        learning_rate=3e-3,
        weight_decay=0.3,
        mixup=0.4,
        dropout=0.3,
        width=64,
        layers=2,
    ),
    "emotiondict": _peer(
        "emotiondict:EmotionDict",
        learning_rate=1e-3,
        weight_decay=0.1,
        mixup=0.4,
        dropout=0.1,
        elements=8,
        w_modality=0.1,
        w_dictionary=0.0,
    ),
    "helo": _peer(
        "helo:HeLo",
        learning_rate=1e-2,
        weight_decay=1.0,
        mixup=0.0,
        dropout=0.3,
        epsilon=0.1,
        w_transport=0.1,
        w_labels=1.0,
    ),
}
# These need the extra ``peers``, and are no part of "all".
OPTIONAL = {
    "pyldl-sa-bfgs": _table("ldl:pyldl", algorithm="SA_BFGS"),
    "pyldl-ldsvr": _table("ldl:pyldl", algorithm="LDSVR"),
}
SWITCHES = tuple(f.name for f in fields(MPCLConfig) if f.type in (bool, "bool"))
BETAS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0)  # to recall by; 0 is the plain mean


def _personal(base: str, kind: str = "Personal", **options: Any) -> Entry:
    return Entry(f"{HERE}.personal:{kind}", "", options, (base,), reads=("trials",))


PERSONAL = {  # what a person's own answers correct: for participants-after-K alone
    "own_mean": _personal("mean_label", "OwnMean"),
    "mean_label_corrected": _personal("mean_label"),
    "ridge-corrected": _personal("ridge"),
    "forest-corrected": _personal("forest"),
    "transformer-corrected": _personal("transformer"),
    "mpcl-corrected": _personal("mpcl"),
    "mpcl-remembers": _personal("mpcl", betas=BETAS),
}
CHECKS = ("nearest_neighbour", "shuffled_labels")
SETTINGS = frozenset(f.name for f in fields(Settings))
PREDICTORS = {
    **{name: _floor(name) for name in (*FLOORS, *CONDITIONAL)},
    "nearest_neighbour": _table("classical:knn", 1, neighbours=1, reads="windows"),
    "shuffled_labels": _network(),
    **BASELINES,
    "mpcl": _network(),
    **{f"mpcl-no-{switch}": _network(**{switch: False}) for switch in SWITCHES},
    "mpcl-ensemble": _network(2, members=5),  # each seed is a mean over networks
    "mpcl-stacked": Entry(  # a floor, and one of each kind of learner
        f"{HERE}.stacking:Stack",
        parts=("mean_label", "ridge", "trees", "mpcl"),
        most_seeds=2,
        reads=("trials",),
    ),
    **PERSONAL,
    **OPTIONAL,
}
METHODS = tuple(
    name for name in PREDICTORS if name not in PERSONAL and name not in OPTIONAL
)


def make(
    name: str, settings: Settings | None = None, device: str = "auto", **changes: Any
) -> Predictor:
    """A predictor by its name, with settings or parameters of its own changed.

    Raises:
        ParameterError: for an unknown name.
    """
    if name not in PREDICTORS:
        names = ", ".join(PREDICTORS)
        raise ParameterError(f"unknown method {name!r}; choose from {names}")
    entry = PREDICTORS[name]
    if changes.get("reads", entry.reads[0]) not in entry.reads:
        raise ParameterError(f"{name} reads {entry.reads[0]} alone")
    if len(entry.reads) == 1:
        changes.pop("reads", None)
    changed = entry.parameters | changes
    of_settings = {key: changed[key] for key in changed if key in SETTINGS}
    parameters = {key: changed[key] for key in changed if key not in SETTINGS}
    settings = replace(settings or Settings(), **of_settings)
    wrapper = load(entry.wrapper)
    if entry.parts:
        parts = [make(part, settings, device) for part in entry.parts]
        return wrapper(parts, **parameters)
    predictor = wrapper(load(entry.target), settings=settings, **parameters)
    return equipped(predictor, device=device)


Methods = str | dict[str, Predictor] | Sequence[str | dict[str, Predictor]]


def made(
    methods: Methods, settings: Settings | None = None, device: str = "auto"
) -> dict[str, Predictor]:
    """The predictors by the names that results give them, the floors in front.

    Args:
        methods: names, ``all``, ``floors``, ``my_module:Mine``, or a dict of predictors
            of one's own; or a list of such.

    Raises:
        ParameterError: for an unknown name, or what is no predictor.

    Example:
        >>> list(made("ridge"))[3:]
        ['participant_mean', 'motion_only', 'elapsed_time_only', 'ridge']
    """
    words = [methods] if isinstance(methods, (str, dict)) else list(methods)
    chosen = dict.fromkeys((*FLOORS, *CONDITIONAL))
    theirs: dict[str, Predictor] = {}
    for word in words:
        if isinstance(word, dict):
            theirs |= word
        elif ":" in word:
            theirs[word.partition(":")[2]] = imported(word)
        elif word == "all":
            chosen |= dict.fromkeys(METHODS)
        elif word != "floors":
            chosen[word] = None
    predictors = {name: make(name, settings, device) for name in chosen}
    for name, predictor in theirs.items():
        if name in PREDICTORS:
            raise ParameterError(f"{name!r} is taken; give yours another name")
        if not (hasattr(predictor, "fit") and hasattr(predictor, "predict")):
            raise ParameterError(f"{name!r} needs fit(training) and predict(test)")
        predictors[name] = equipped(predictor, settings=settings, device=device)
    return predictors


def imported(word: str) -> Predictor:
    """The predictor of ``my_module:Mine``, which is called without arguments."""
    try:
        return load(word)()
    except TypeError as error:
        raise ParameterError(f"{word}() is called: {error}") from error


def load(word: str) -> Any:
    """What ``module:name`` names.

    Raises:
        ParameterError: if there is no such module, or no such name in it.
    """
    module, _, name = word.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{word}: {error}") from error


def most_seeds(name: str, predictor: Predictor) -> int | None:
    """How many seeds tell something new: one without a ``seed``, None for all."""
    if name in PREDICTORS and PREDICTORS[name].most_seeds:
        return PREDICTORS[name].most_seeds
    return None if hasattr(predictor, "seed") else 1


def readings(name: str, predictor: Predictor) -> tuple[str, ...]:
    """What a predictor can read, what it is run on first; windows, if it says nothing.

    Example:
        >>> readings("ridge", make("ridge")), readings("mpcl", make("mpcl"))
        (('trials', 'windows'), ('trials',))
    """
    if name in PREDICTORS:
        return PREDICTORS[name].reads
    return (getattr(predictor, "reads", "windows"),)


def code_of(name: str, predictor: Predictor) -> str:
    """Hash of what its scores depend on: the code that it reaches, and its parameters.

    Of a predictor of one's own the file counts that it is defined in, and what that
    imports of ``mpcl``; empty where there is none, as in a notebook.
    """
    if name in PREDICTORS:
        entries = [PREDICTORS[each] for each in (name, *PREDICTORS[name].parts)]
        words = {word for each in entries for word in each[:2] if word}
        modules = sorted(BUILT.get(word, word).partition(":")[0] for word in words)
        return provenance.hash_of(provenance.code_of(*SCORING, *modules), str(entries))
    path = getattr(sys.modules[type(predictor).__module__], "__file__", None)
    if path is None:
        return ""
    source = Path(path).read_text(encoding="utf-8")
    reached = provenance.code_of(*SCORING, *provenance.reachable(source))
    parameters = repr(vars(predictor))
    return provenance.hash_of(reached, provenance.syntax(source), parameters)
