"""What a paper needs of an audit: a methods paragraph, its references, and the table of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from configural.audit.result import Audit
from configural.audit.verdict import SMALLEST, stated
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.files import refuse_used
from configural.wording import in_percent, in_words

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


@dataclass(frozen=True)
class Publication:
    """Texts to paste.

    Attributes:
        methods: A paragraph; citations are LaTeX's.
        references: What it cites, in BibTeX.
        latex: The scores that sum up each probe, as a LaTeX table (booktabs).
        table: Every score with its interval, numbers of exemplars and images, the package's version and the probe's
            settings.
    """

    methods: str
    references: str
    latex: str
    table: pd.DataFrame


def publication(audit: Audit) -> Publication:
    r"""The methods paragraph, references and tables of an audit.

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
    settings, facts = audit.settings, audit.facts
    done = [probe for probe in audit.probes if probe in set(audit.scores["probe"])]
    named = [probe for probe in done if probe in _METHODS]
    cited = ["configural", "hesterberg2015", *(key for probe in named if (key := _METHODS[probe][1]))]
    described = [
        _METHODS[probe][0] + (f"~\\cite{{{key}}}" if (key := _METHODS[probe][1]) else "") for probe in named
    ]
    exemplars = int(audit.scores["exemplars"].max()) if len(audit.scores) else 0
    images = sum(len(audit.responses.get(probe, ())) for probe in done)
    scrambled, correct = facts.class_names
    methods = (
        f"We audited {_latex(facts.name)} with configural {facts.configural}~\\cite{{configural}}. Stimuli were "
        f"composed of the parts of {exemplars} exemplars ({_latex(settings.source)}, condition "
        f"{_latex(settings.condition)}, split {settings.split}, seed {settings.seed}) as images of "
        f"{settings.image_size} by {settings.image_size} pixels: {settings.pairs} matched pairs of a correct "
        f"({_latex(correct)}) and a scrambled arrangement ({_latex(scrambled)}), and versions of them, "
        f"{images:,} trials in all. Probes were {'; '.join(described)}. All measures are on log-odds of "
        f"{_latex(correct)} unless stated.{_displaced(audit, done)} Intervals are 95\\,\\% bootstrap intervals "
        "over exemplars (2,000 draws; expanded percentiles~\\cite{hesterberg2015}); they are not corrected for the "
        "number of scores.\n"
    )
    entries = (resources.files("configural.audit") / "references.bib").read_text("utf-8").split("\n\n")
    wanted = [entry.strip() for entry in entries if any(f"{{{key}," in entry for key in cited)]
    references = "\n\n".join(wanted) + "\n"
    return Publication(
        methods,
        references.replace("VERSION", facts.configural).replace("YEAR", facts.date[:4]),
        _table(audit),
        _scores(audit),
    )


def _displaced(audit: Audit, done: Sequence[str]) -> str:
    """How far parts were moved for the effects, and which effects count; nothing where none were measured."""
    if "factorial" not in done:
        return ""
    at = audit.summary()["relational_fraction"][1].at
    return (
        f" Relational and positional effects are those of a displacement by {at:g}/512 of the longer side of the "
        f"source image; effects that are not surely above {100 * SMALLEST:.0f}\\,\\% of the mean gap between "
        "correct and scrambled arrangements do not count as shown, and no relational fraction is given where costs "
        "do not add up."
    )


def publish(folder: Path | str, out: Path | str) -> Publication:
    """Write methods.tex, references.bib, scores.tex and scores.csv of an audit's folder into another one.

    Raises:
        ConfiguralError: If the folder holds no finished audit, or the other one is not empty.
    """
    made, target = publication(Audit.load(folder)), Path(out)
    refuse_used(target)
    texts = {"methods.tex": made.methods, "references.bib": made.references, "scores.tex": made.latex}
    for name, text in {**texts, "scores.csv": made.table.to_csv(index=False)}.items():
        files.write_text(target / name, text)
    return made


def _table(audit: Audit) -> str:
    rows = []
    for heading, (probe, which) in audit.summary().items():
        score = stated(audit, heading)
        if "exemplars" not in score:
            continue
        fraction = audit.probes[probe].is_fraction(which.score)
        value = in_percent(score) if fraction else in_words(score, 2)
        cells = (heading.replace("_", " "), value, str(score["exemplars"]), f"{score['images']:,}")
        rows.append(" & ".join(_latex(cell) for cell in cells) + r" \\")
    head = [r"\begin{tabular}{lrrr}", r"\toprule", r"score & value [95\,\% interval] & exemplars & images \\"]
    return "\n".join([*head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _scores(audit: Audit) -> pd.DataFrame:
    said = {probe: "; ".join(f"{k}={v}" for k, v in card.settings.items()) for probe, card in audit.probes.items()}
    return audit.scores.assign(
        classifier=audit.facts.name,
        at=audit.scores["at"].replace(np.nan, None),
        probe_settings=audit.scores["probe"].map(said),
        version=audit.facts.configural,
    )


def _latex(text: str) -> str:
    """Text as LaTeX shows it."""
    special = {character: f"\\{character}" for character in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "−": "$-$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
    return text.translate(str.maketrans(dict[str, str | int | None](special)))
