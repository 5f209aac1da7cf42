"""The table of the claim ledger, computed from the results files when the book is built."""

from pathlib import Path

from mpcl.evaluation import claims

ROOT = Path(__file__).resolve().parents[2]
PAGE, MARK = "book/claims", "<!-- claims -->"
CLAIM = """
## {number} · {claim}

{source}; {{doc}}`{chapter}`. Verdict: **{verdict}**.

| data | found |
|---|---|
| simulated | {simulated} |
| WESAD | {wesad} |
| DMER | {dmer} |
"""


def section(number, claim, folder):
    verdict, found = claims.judge(claim, folder)
    why = claim.get("why", "")
    cells = {tier: "<br>".join(found[tier]) or "–" for tier in claims.TIERS}
    if "why" in claim:
        verdict = f"not attempted** ({why})**"
    else:
        cells["dmer"] = found["dmer"] or "not run here"
    return CLAIM.format(number=number, claim=claim["claim"], source=claim["source"], chapter=claim["chapter"],
                        verdict=verdict, **cells).replace("****", "")


def summary(every, folder):
    verdicts = [claims.judge(one, folder)[0] for one in every]
    counts = {name: verdicts.count(name) for name in ("reproduced", "partly", "not reproduced", "not attempted")}
    return "Of {} claims: {}.".format(len(every), ", ".join(f"{n} {name}" for name, n in counts.items()))


def page(root=ROOT):
    every, folder = claims.read(root / "data" / "claims.yml"), root / "data" / "results"
    return summary(every, folder) + "\n" + "".join(section(n, one, folder) for n, one in enumerate(every, 1))


def fill(app, name, source):
    if name == PAGE:
        source[0] = source[0].replace(MARK, page())


def always(app, env, added, changed, removed):
    return [PAGE] if PAGE in env.found_docs else []  # its source does not change where a results file does


def setup(app):
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
