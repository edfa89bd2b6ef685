"""What a paper needs of audits: a methods paragraph, its references, and the table of scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from configural.audit.result import Audit
from configural.audit.verdict import SMALLEST, stated
from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.io.papers import Publication, escaped, references, tabular
from configural.wording import in_percent, in_words, listed, p_value, without_folders

_METHODS: Mapping[str, tuple[str, str]] = {
    "forced_choice": ("two-alternative forced choice between matched arrangements of the same parts", ""),
    "factorial": (
        "a factorial displacement of one part, of the others the opposite way, and of all, which divides the cost "
        "of a moved part into relations and position",
        "",
    ),
    "spatial_relations": (
        "exchanged parts and changed distances (first- and second-order relations)",
        "maurer2002",
    ),
    "anagrams": ("pairs of which both images are classified correctly", "doshi2025"),
    "scrambling": ("levels of scrambling and of random displacement", "baker2022"),
    "part_whole": ("parts alone, in their whole and in a scrambled whole", "tanaka1993"),
    "composite": ("aligned and misaligned composites of two exemplars", "young1987"),
    "inversion": ("inversion and turned parts", "thompson1980"),
    "displacement": ("displacement of parts, groups and all parts", ""),
    "background_removal": ("removal of the background", ""),
    "interactions": ("Shapley values and interactions of parts and canvas", ""),
}


def publication(audit: Audit) -> Publication:
    r"""The methods paragraph and references of an audit, a table of what sums up each probe, and every score.

    Raises:
        ConfiguralError: If the audit did not come to its end.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:2")
        ...     observer = cf.audit.observers(library)["bag of parts"]
        ...     found = cf.audit.audit(observer, library, pairs=4, probes=["forced_choice"], name="bag_1")
        >>> cf.audit.publication(found).latex.splitlines()[4]
        'choice & 50 \\% [50, 50] & 2 & 4 \\\\'
    """
    if audit.interruption:
        raise ConfiguralError(f"{audit.facts.name}: this audit did not come to its end; resume it first")
    methods = _methods({audit.facts.name: (audit,)}) + " They are not corrected for the number of scores.\n"
    return Publication(methods, _references([audit]), _table(audit), _scores(audit))


def publication_of_several(
    rows: Mapping[str, Sequence[Audit]],
    summary: pd.DataFrame,
    headings: Mapping[str, bool],
    *,
    differences: pd.DataFrame,
) -> Publication:
    """The same of an `AuditComparison`: a column for each row, and for the corrected p-value of every two.

    By name, `rows` are the audits that count as one; none for people.
    """
    networks = {name: audits for name, audits in rows.items() if audits}
    known = differences[differences["p_holm"].notna()]
    pairs = list(dict.fromkeys(zip(known["first"], known["second"], strict=True)))
    told = [_methods(networks)]
    told += [
        f"For {escaped(name)} we give means over {len(audits)} audits, with intervals over exemplars and audits."
        for name, audits in networks.items()
        if len(audits) > 1
    ]
    if people := [escaped(name) for name in rows if name not in networks]:
        told.append(f"The intervals of {listed(people)} are over participants.")
    if pairs:
        told.append(
            "Differences were drawn in pairs over exemplars; $p$ is that of Student's $t$ for a difference over "
            "its standard deviation in these draws, corrected for "
            f"{len(known)} tests by Holm's method~\\cite{{holm1979}}."
        )
    p = {(row["first"], row["second"], row["score"]): p_value(row["p_holm"]) for row in known.to_dict("records")}
    lines = []
    for heading, fraction in headings.items():
        cells = []
        for row in summary.to_dict("records"):
            ends = {"value": "", "low": "_low", "high": "_high"}
            score = {name: row[heading + end] for name, end in ends.items()}
            undefined = np.isnan(score["value"])
            cells.append("–" if undefined else in_percent(score) if fraction else in_words(score, 2))
        lines.append([heading.replace("_", " "), *cells, *(p.get((*pair, heading), "–") for pair in pairs)])
    of = [""] if len(pairs) == 1 else [f", {escaped(one)} against {escaped(other)}" for one, other in pairs]
    head = " & ".join(["score", *map(escaped, summary["name"]), *(f"$p${which}" for which in of)])
    latex = tabular("l" + "r" * (len(summary) + len(pairs)), [head], lines)
    every = [audit for audits in networks.values() for audit in audits]
    return Publication(" ".join(told) + "\n", _references(every, "holm1979" if pairs else ""), latex, summary)


def _methods(networks: Mapping[str, Sequence[Audit]]) -> str:
    """What was shown to audits by name, and what was measured."""
    firsts = {name: audits[0] for name, audits in networks.items()}
    shown: dict[str, dict[str, None]] = {}
    for name, audits in networks.items():
        for audit in audits:
            shown.setdefault(_stimuli(audit), {})[escaped(name)] = None
    stimuli = [
        f"Stimuli{f' for {listed(list(names))}' if len(shown) > 1 else ''} were composed of {text}"
        for text, names in shown.items()
    ]
    done = dict.fromkeys(probe for audit in firsts.values() for probe in _done(audit))
    described = [
        text + (f"~\\cite{{{key}}}" if key else "")
        for text, key in (_METHODS[probe] for probe in done if probe in _METHODS)
    ]
    classes = listed(list(dict.fromkeys(escaped(audit.facts.class_names[1]) for audit in firsts.values())))
    displaced = dict.fromkeys(_displaced(audit) for audit in firsts.values())
    versions = listed(list(dict.fromkeys(audit.facts.configural for audit in firsts.values())))
    return (
        f"We audited {listed([escaped(name) for name in firsts])} with configural {versions}~\\cite{{configural}}. "
        f"{' '.join(stimuli)} Probes were {'; '.join(described)}. All measures are on log-odds of {classes} unless "
        f"stated.{''.join(displaced)} Intervals are 95\\,\\% bootstrap intervals over exemplars (2,000 draws; "
        "expanded percentiles~\\cite{hesterberg2015})."
    )


def _stimuli(audit: Audit) -> str:
    settings, (scrambled, correct) = audit.settings, audit.facts.class_names
    source, condition = (escaped(without_folders(text)) for text in (settings.source, settings.condition))
    exemplars = int(audit.scores["exemplars"].max()) if len(audit.scores) else 0
    images = sum(len(audit.responses.get(probe, ())) for probe in _done(audit))
    return (
        f"the parts of {exemplars} exemplars ({source}, condition {condition}, split {settings.split}, "
        f"seed {settings.seed}) as images of "
        f"{settings.image_size} by {settings.image_size} pixels: {settings.pairs} matched pairs of a correct "
        f"({escaped(correct)}) and a scrambled arrangement ({escaped(scrambled)}), and versions of them, "
        f"{images:,} trials in all."
    )


def _done(audit: Audit) -> list[str]:
    return [probe for probe in audit.probes if probe in set(audit.scores["probe"])]


def _references(audits: Sequence[Audit], *more: str) -> str:
    probes = dict.fromkeys(probe for audit in audits for probe in _done(audit) if probe in _METHODS)
    cited = ["configural", "hesterberg2015", *(_METHODS[probe][1] for probe in probes), *more]
    facts = audits[0].facts
    return references([key for key in cited if key], version=facts.configural, year=facts.date[:4])


def _displaced(audit: Audit) -> str:
    """How far parts were moved for the effects, and which effects count; nothing where none were measured."""
    if "factorial" not in _done(audit):
        return ""
    at = audit.summary()["relational_fraction"][1].at
    return (
        f" Relational and positional effects are those of a displacement by {at:g}/512 of the longer side of the "
        f"source image; effects that are not surely above {100 * SMALLEST:.0f}\\,\\% of the mean gap between "
        "correct and scrambled arrangements, or of twice the median log-odds of correct images where that is less, "
        "do not count as shown, and no relational fraction is given where costs do not add up."
    )


def publish(folder: Path | str, out: Path | str) -> Publication:
    """Write methods.tex, references.bib, scores.tex and scores.csv of an audit's folder into another one.

    Raises:
        ConfiguralError: If the folder holds no finished audit, or the other one is not empty.
    """
    made = publication(Audit.load(folder))
    refuse_used(Path(out))
    made.write(Path(out), "scores")
    return made


def _table(audit: Audit) -> str:
    rows = []
    for heading, (probe, which) in audit.summary().items():
        score = stated(audit, heading)
        if "exemplars" not in score:
            continue
        fraction = audit.probes[probe].is_fraction(which.score)
        value = in_percent(score) if fraction else in_words(score, 2)
        rows.append((heading.replace("_", " "), value, str(score["exemplars"]), f"{score['images']:,}"))
    return tabular("lrrr", [r"score & value [95\,\% interval] & exemplars & images"], rows)


def _scores(audit: Audit) -> pd.DataFrame:
    said = {probe: "; ".join(f"{k}={v}" for k, v in card.settings.items()) for probe, card in audit.probes.items()}
    return audit.scores.assign(
        classifier=audit.facts.name,
        at=audit.scores["at"].replace(np.nan, None),
        probe_settings=audit.scores["probe"].map(said),
        version=audit.facts.configural,
    )
