"""Draw the relation index of the study's networks under two conditions, from results/relation_index.csv.

Usage: python docs/make_results_figure.py
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from configural.evaluation import save_figure

HERE = Path(__file__).parent
NETWORKS = ("cnn-15", "cnn-13", "fcn-16", "fcn-14")
CONDITIONS = {
    "baseline": ("#d55e00", "s", "trained on baseline: parts at their positions"),
    "floating+matched": ("#0072b2", "o", "trained on floating parts"),
}
"""Colour, marker and words of each condition; Okabe and Ito's colours, which colour-blind readers distinguish."""


def relation_index_figure(results: pd.DataFrame) -> Figure:
    """A panel for each source of exemplars: per network the index under both conditions, with 95 % intervals."""
    sources = list(dict.fromkeys(results["source"]))
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = figure.subplots(1, len(sources), sharex=True, sharey=True)
    for axes, source in zip(panels, sources, strict=True):
        axes.axvline(0, color="0.35", linewidth=1.2)
        for condition, (colour, marker, words) in CONDITIONS.items():
            chosen = results[(results["source"] == source) & (results["condition"] == condition)]
            rows = chosen.set_index("network").loc[list(NETWORKS)]
            value = rows["relation_index"]
            errors = [value - rows["low"], rows["high"] - value]
            axes.errorbar(value, range(len(rows)), xerr=errors, fmt=marker, color=colour, markersize=11,
                          linewidth=3, capsize=6, label=words)  # fmt: skip
        axes.set_title(source, fontsize=16)
        axes.set_xlim(-1.05, 1.1)
        axes.set_ylim(len(NETWORKS) - 0.5, -0.5)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
        axes.set_yticks(range(len(NETWORKS)), NETWORKS)
        axes.tick_params(labelsize=14, length=0)
        axes.grid(axis="x", color="0.88")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.supxlabel("← reads positions        relation index        reads relations →", fontsize=15)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=14,
                  frameon=False)  # fmt: skip
    return figure


if __name__ == "__main__":
    table = pd.read_csv(HERE / "results" / "relation_index.csv")
    save_figure(relation_index_figure(table), HERE / "images" / "relation_index.png")
