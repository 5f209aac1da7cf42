"""The card of a kept model: what trained it, how well it did, and what it is not for.

After *Model Cards for Model Reporting* (Mitchell et al. 2019).
"""

from textwrap import fill
from typing import Any

from mpcl.evaluation.statistics import with_interval
from mpcl.laboratory.model import KeptModel

NOT_FOR = """\
## What it must not be used for

- **No decision about a person**: not health, work, school, credit, insurance, police or
  migration. In the European Union, inferring emotions at work and in education is
  forbidden but for medical and safety reasons (Regulation 2024/1689, Article 5).
- **No reading of what somebody feels.** It predicts how a person of the study would
  have answered its questionnaire, on average over people. Nobody is an average.
- **No recordings without the person's consent** to this very use.
- **No other sensors, units, emotions or situations** than those below. It refuses other
  features and units; other people and situations it cannot see.
- **No claim of an improvement** without new people who were held out.
"""


def card(model: KeptModel) -> str:
    """The card in Markdown."""
    training = model.about["training"]
    people = training["participants"]
    emotions = ", ".join(map(str, model.layout.emotion.values))
    lines = [
        f"# {model.predictor}, trained on {training['dataset']}",
        "",
        f"{len(model.networks)} networks, averaged; made {model.about['created']} with "
        f"mpcl {model.about['mpcl']} (commit {model.about['commit']}).",
        "",
        "## What it was trained on",
        "",
        f"- {len(people)} participants, {training['trials']} trials, "
        f"{training['windows']} windows; fingerprint `{training['fingerprint']}`",
        f"- licence of these data: {training['licence']}. It may bind the model too: "
        "read it before you pass the model on",
        f"- to be cited: {training['citation']}",
        f"- emotions, rated {training['rating_scale']}: {emotions}",
        f"- normalisation: {model.settings.normalisation}",
        *_features(model),
        "",
        *_scores(model.predictor, model.about["scores"]),
        "",
        NOT_FOR,
    ]
    return "\n".join(_wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    """A line that fits a terminal; rows of a table, and what is wrapped, stay."""
    if line.startswith("|") or "\n" in line:
        return line
    return fill(line, 88, subsequent_indent="  " if line.startswith("-") else "")


def _features(model: KeptModel) -> list[str]:
    """What it reads, a line a modality."""
    lines = ["- it reads, in these units:"]
    for name, branch, _ in model.config.modalities:
        features = model.layout[f"{name}_feature"].values.tolist()
        units = model.layout[f"{name}_unit"].values.tolist()
        pairs = [f"{f} ({u})" for f, u in zip(features, units, strict=True)]
        lines.append(f"- **{name}**, {branch}: {', '.join(pairs)}")
    return lines


def _scores(predictor: str, scores: dict[str, Any]) -> list[str]:
    """How well people were met who were held out, floors first."""
    title = ["## How well it did", ""]
    if not scores:
        return [*title, "It was not scored: nobody knows how well it does."]
    metrics = list(scores["means"][predictor])
    rows = [f"| | {' | '.join(metrics)} |", "|---" * (len(metrics) + 1) + "|"]
    for name, means in scores["means"].items():
        cells = [with_interval(numbers, ".3f") for numbers in means.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    reasons = [f"- {name}: {why}" for name, why in scores["not_applicable"].items()]
    failed = scores["failed"]
    return [
        *title,
        f"{scores['protocol']}, {scores['people']} people, by trial: mean and 95 % "
        f"interval over people. {predictor} is one network a fold here; its mean over "
        "seeds is as a rule a little better. The rows above it are floors; "
        "condition_oracle is told which clip it was, which no model is.",
        "",
        *rows,
        *reasons,
        "",
        f"**{len(failed)} of {scores['people']} people were met worse than by the mean "
        f"label** (KL){': ' if failed else ''}{', '.join(failed)}.",
    ]
