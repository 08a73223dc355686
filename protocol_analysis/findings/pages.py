"""A page for each code, in markdown: what it means, how bad it is for whom, and what to do.

`rules CODE` prints it, `docs/rules/` holds all of them, and SARIF carries them as help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from protocol_analysis.findings.catalogue import Rule, Weight, catalogue
from protocol_analysis.proof.cells import CLIENTS, CONFIGS
from protocol_analysis.proof.measured import answer_to, measured_envoys
from protocol_analysis.rules import ruleset
from protocol_analysis.workloads import IGNORE

_INDEX = "README.md"
_MADE = "<!-- Made from protocol_analysis/findings/catalogue.yaml by `make docs`. -->"
_EVERYBODY = "everybody"
_ASSUMED = 4  # the column of what holds where the release is not told


def pages() -> Mapping[str, str]:
    """The files of `docs/rules/` by name: the index, and a page for each code.

    >>> list(pages())[:2]
    ['README.md', 'AP001.md']
    """
    rules = catalogue().values()
    return {
        _INDEX: f"{_MADE}\n\n{_index(rules)}",
        **{f"{rule.code}.md": f"{_MADE}\n\n{page(rule)}" for rule in rules},
    }


def page(rule: Rule) -> str:
    """The page of a rule, as markdown.

    >>> page(catalogue()["AP003"]).splitlines()[0]
    '# AP003: A value that is not read, and nearly is one that is'
    """
    parts = [f"# {rule.code}: {rule.title}", rule.meaning]
    parts += ["## Severity", _severities(rule)]
    if rule.shows:
        parts += ["## At run time", _sentence(rule.shows), *_measured(rule)]
    parts += ["## Remedy", _sentence(rule.remedy)]
    parts += ["## What breaks it", _yaml(rule.bad), "## What does not", _yaml(rule.good)]
    parts += ["## To bear it", _bearing(rule)]
    parts += ["## References", "\n".join(f"- <{link}>" for link in rule.references)]
    return "\n\n".join(parts) + "\n"


def _index(rules: Iterable[Rule]) -> str:
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.worst} | {_cell(rule.title)} |" for rule in rules
    ]
    head = ["| code | at worst | what it finds |", "|---|---|---|"]
    text = "What `protocol-analysis check` finds. Which severity holds depends on who reads, at "
    text += "which release, and on how sure it is; each page says so."
    return "\n".join(["# Rules", "", text, "", *head, *rows, ""])


def _severities(rule: Rule) -> str:
    """A table of the lines, of which the first that fits counts; no column that tells nothing."""
    lines = [(w.severity, _reader(w), _releases(w), w.grade, w.assumed) for w in rule.weights]
    heads = ("severity", "for", "releases", "case", "where the release is not told")
    told = [at for at in range(len(heads)) if any(line[at] for line in lines)]
    rows = [heads, ["---"] * len(heads), *lines]
    cells = (
        [_cell(row[at] or ("the same" if at == _ASSUMED else "any")) for at in told] for row in rows
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _reader(weight: Weight) -> str:
    role = {None: "", True: " mesh", False: " gateway"}[weight.mesh]
    return f"{weight.implementation}{role}" or _EVERYBODY


def _releases(weight: Weight) -> str:
    """The releases as few ranges: `v1.6.0 to v1.6.2`."""
    if weight.releases is None:
        return ""
    known = ruleset(weight.implementation).releases
    return ", ".join(_ranges([release in weight.releases for release in known], known))


def _ranges(held: list[bool], known: Iterable[str]) -> Iterator[str]:
    """The runs of what is held, by their ends.

    >>> list(_ranges([True, True, False, True], ["v1.0", "v1.1", "v1.2", "v1.3"]))
    ['v1.0 to v1.1', 'v1.3']
    """
    run: list[str] = []
    for is_held, release in [*zip(held, known, strict=True), (False, "")]:
        if is_held:
            run.append(release)
        elif run:
            yield run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
            run = []


def _measured(rule: Rule) -> list[str]:
    """A table of the cells that show it, in the newest measured Envoy; nothing where none do."""
    if not rule.measured:
        return []
    rows = [
        f"| {CONFIGS[config].about} | {kind} | {CLIENTS[client]} | "
        f"{answer_to(config, kind, client).words} |"
        for config, kind, client in rule.measured
    ]
    head = [
        "| Envoy speaks | the server takes | the client sends | it meets |",
        "|---|---|---|---|",
    ]
    return [f"Measured with Envoy {measured_envoys()[-1]}:", "\n".join([*head, *rows])]


def _bearing(rule: Rule) -> str:
    return (
        "On the object that the finding names, with a reason, and a last day if you like:\n\n"
        + _yaml(f'metadata:\n  annotations:\n    {IGNORE}: "{rule.code}: the reason"\n')
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _yaml(text: str) -> str:
    return f"```yaml\n{text.rstrip()}\n```"
