"""How well simple cues predict the class under some conditions.

python benchmarks/shortcuts.py [--source SOURCE] [--count N] [--split NAME] [--size N] [--seed N] [CONDITION ...]
"""

import argparse

import pandas as pd

from configural.portraits import load
from configural.stimuli import preset_names
from configural.stimuli.shortcuts import CUES, shortcut_accuracies


def main() -> None:
    """Measure some conditions and print a table in Markdown."""
    parser = argparse.ArgumentParser(description="How well simple cues predict the class.")
    parser.add_argument("conditions", nargs="*")
    parser.add_argument("--source", default="synthetic")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--split", default="paper")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    library = load(options.source)
    rows = {
        name: shortcut_accuracies(
            library, name, count=options.count, seed=options.seed, split=options.split, size=options.size
        )
        for name in options.conditions or [*preset_names(library.scheme), "floating+matched+seamless"]
    }
    frame = pd.DataFrame(rows).T[list(CUES)]
    print("| condition | " + " | ".join(CUES) + " |\n|---|" + "---|" * len(CUES))
    for name, values in frame.iterrows():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")


if __name__ == "__main__":
    main()
