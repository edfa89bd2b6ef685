"""Image folders with trials for people: two images side by side, and which of them is the correct arrangement."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configural.export.format import Fault, compare_stored
from configural.export.formats.imagefolder import ImageFolder
from configural.export.plan import Each, Plan, Update
from configural.io import files
from configural.stimuli.table import SUBSETS

LISTS = ("a", "b")
"""For half of the participants each; what is on the left in one is on the right in the other."""


class PsychoPy(ImageFolder):
    """The image folder, and `trials_test_a.csv` and so on: conditions files for a loop of PsychoPy's Builder.

    Column names are variables there, and a cell in square brackets would be run as Python; so no name of an
    exemplar, which a file's name may be, is in the table.
    """

    suffix: ClassVar[str] = "csv"
    keys: ClassVar[Sequence[str]] = ("left", "right")
    usage = """\
Save the PsychoPy experiment in this folder, and give its loop the conditions file `trials_test_a.csv` or
`trials_test_b.csv`, for one participant after the other: the sides are counterbalanced between the two. Two image
components show `$left_image` and `$right_image`; the keyboard's correct answer is `$correct_key`.
"""

    def paths(self, plan: Plan) -> Iterator[str]:
        """All files of the dataset."""
        yield from super().paths(plan)
        yield from (self._file(subset, name) for subset in plan.subsets for name in LISTS)

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all files that are not there yet."""
        super().write(plan, folder, update=update, each=each)
        for path, content in self._lists(plan):
            if not (folder / path).exists():
                files.write_bytes(folder / path, content)

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of the rows' images, and of all trials; a file that is not there is passed over."""
        yield from super().compare(plan, folder, rows=rows, update=update)
        for path, content in self._lists(plan):
            if (folder / path).is_file():
                yield from compare_stored(path, content, stored=(folder / path).read_bytes())

    def pack_trials(self, trials: list[dict[str, Any]]) -> bytes:
        """The content of one list."""
        text = io.StringIO(newline="")
        pd.DataFrame(trials).to_csv(text, index=False, lineterminator="\n")
        return text.getvalue().encode()

    def _file(self, subset: str, name: str) -> str:
        return f"trials_{subset}_{name}.{self.suffix}"

    def _lists(self, plan: Plan) -> Iterator[tuple[str, bytes]]:
        positions = plan.table.positions()
        found: dict[tuple[str, str], dict[int, str]] = {}
        for file, index, subset in zip(plan.table.files(), positions["index"], positions["subset"], strict=True):
            found.setdefault((subset, Path(file).parent.name), {})[int(index)] = self.place(file)
        for number, subset in enumerate(SUBSETS):
            scrambled, correct = (found.get((subset, name), {}) for name in plan.table.scheme.class_names)
            if not scrambled and not correct:
                continue
            pairs = sorted(scrambled.keys() & correct.keys())
            sides = np.random.default_rng(number).permutation(np.arange(len(pairs)) % 2)
            for name, mine in zip(LISTS, (sides, 1 - sides), strict=True):
                trials = [
                    self._trial(pair, (correct[pair], scrambled[pair]), side)
                    for pair, side in zip(pairs, mine.tolist(), strict=True)
                ]
                yield self._file(subset, name), self.pack_trials(trials)

    def _trial(self, pair: int, images: tuple[str, str], side: int) -> dict[str, Any]:
        """One trial, its correct image on the left (0) or on the right (1)."""
        left, right = images if side == 0 else images[::-1]
        return {
            "pair": pair,
            "left_image": left,
            "right_image": right,
            "correct_side": ("left", "right")[side],
            "correct_key": self.keys[side],
        }


class JsPsych(PsychoPy):
    """The image folder, and `trials_test_a.json` and so on: `timeline_variables` for jsPsych."""

    suffix = "json"
    keys = ("arrowleft", "arrowright")
    usage = """\
Serve this folder together with the jsPsych page, and take a list as `timeline_variables`, for one participant after
the other: the sides are counterbalanced between `trials_test_a.json` and `trials_test_b.json`.

```js
const trials = await (await fetch("FOLDER/trials_test_a.json")).json();
```
"""

    def pack_trials(self, trials: list[dict[str, Any]]) -> bytes:
        """The content of one list."""
        return (json.dumps(trials, indent=1) + "\n").encode()
