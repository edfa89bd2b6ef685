"""How far audits of one network differ, by seed, exemplars and number of pairs, and what distance changes.

The two networks that come with the package are audited on painted faces. An interval promises that 95 of 100 audits
with other exemplars would hold the same truth; here the spread of repeated audits stands beside it.

    OMP_NUM_THREADS=1 python benchmarks/audit_spread.py
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

import configural as cf
from configural.audit import Audit
from configural.explorer.small import shipped

PROBES = ("forced_choice", "factorial", "displacement")
SCORES = {
    "broken relations cost (nats)": ("factorial", "balanced_relational_effect", "skin", 60),
    "all parts moved together cost (nats)": ("factorial", "all_together", "skin", 60),
    "relational fraction": ("factorial", "relational_fraction", "skin", 60),
    "relation index": ("displacement", "relation_index", "canvas", 60),
}
DISTANCES = (20, 60, 120)


def audits(library: cf.portraits.Library, *, seeds: Sequence[int], pairs: int) -> Iterator[tuple[str, Audit]]:
    """By a network's name, its audits on the same exemplars by other seeds."""
    for shown in shipped():
        model = cf.models.open(shown.network)
        for seed in seeds:
            settings = {"pairs": pairs, "seed": seed, "image_size": shown.image_size, "probes": PROBES}
            with cf.progress.hidden():
                yield shown.name, cf.audit.audit(model, library, name=shown.name, **settings)


def scores(made: Iterator[tuple[str, Audit]]) -> pd.DataFrame:
    """A row per network, audit and score."""
    rows = []
    for name, audit in made:
        for label, (probe, score, of, at) in SCORES.items():
            rows.append({**audit.score(probe, score, of=of, at=at), "network": name, "score": label})
    return pd.DataFrame(rows)


def spread(found: pd.DataFrame, heading: str) -> None:
    """Print the spread of the values beside the mean standard error that the intervals state."""
    for (network, label), rows in found.groupby(["network", "score"], sort=False):
        values = rows["value"].dropna()
        error = (rows["high"] - rows["low"]).mean() / (2 * 1.96)
        print(
            f"| {heading} | {network} | {label} | {values.min():.2f} to {values.max():.2f} | "
            f"{values.std(ddof=1):.3f} | {error:.3f} |",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    print("| what differs | network | score | values | their standard deviation | standard error by intervals |")
    print("|---|---|---|---|---|---|")
    library = cf.portraits.load("synthetic:48")
    seeds = range(given.repeats)
    for pairs in (25, 100, 400):
        spread(scores(audits(library, seeds=seeds, pairs=pairs)), f"seed, {pairs} pairs")
    parts = []
    many = cf.portraits.load(f"synthetic:{24 * given.repeats}")
    for number in seeds:
        some = replace(many, exemplars=many.exemplars[24 * number : 24 * (number + 1)])
        parts.append(scores(audits(some, seeds=[number], pairs=100)))
    spread(pd.concat(parts), "24 other exemplars, 100 pairs")
    print()
    print("| distance | network | broken relations cost | all moved together cost | relational fraction |")
    print("|---|---|---|---|---|")
    for name, audit in audits(library, seeds=[0], pairs=400):
        for distance in DISTANCES:
            cells = []
            for score in ("balanced_relational_effect", "all_together", "relational_fraction"):
                one = audit.score("factorial", score, of="skin", at=distance)
                cells.append(f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]")
            print(f"| {distance} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
