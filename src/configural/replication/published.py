"""The results that the study published, as data."""

from importlib import resources

import pandas as pd

from configural.study.results import RESULT_COLUMNS

_RENAMED = {
    "run": "repeat",
    "test_placement": "placement",
    "test_loss": "loss",
    "test_accuracy": "accuracy",
    "face_called_no_face": "face_as_no_face",
    "no_face_called_face": "no_face_as_face",
}


def published_results() -> pd.DataFrame:
    """The 96 published tests of 36 trained networks, in the columns of a results table.

    Of each network (cnn-15, cnn-13, fcn-16, fcn-14) and training condition (baseline, ffa, fct) there are three
    repeats. Each was tested on its own condition, `middle` and `shifted` (a third of the images each left, middle
    and right, so a third of them is not shifted at all), and between baseline and ffa across conditions, `middle`
    only. The four cross tests with fct on either side were not published, nor were left and right apart.

    All repeats used seed 42; they differ by what a seed did not fix on the study's hardware. `accuracy` is rounded
    to six decimals; `images` is 3,000 throughout; `run` is empty.

    Source: Lisa Lengenfelder, "Are Relations Relevant in CNNs? A Study Based on a Facial Dataset", Bachelor thesis,
    2021; results from its public notebooks.
    """
    with resources.files("configural.replication").joinpath("published_results.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file)
    network = frame["family"].str.lower() + "-" + frame["layers"].astype(str)
    frame = frame.rename(columns=_RENAMED).assign(network=network, seed=42, images=3000, run="")
    return frame[list(RESULT_COLUMNS)]


def estimated_shifted_only(results: pd.DataFrame) -> pd.DataFrame:
    """What tests on `shifted` alone say of the images in it that are shifted.

    A third of a shifted set is in the middle. *Assumed* is that a network is as accurate on that third as on the
    middle test set of the same condition, which are other images made the same way. Then
    shifted = middle / 3 + 2 · shifted_only / 3, hence shifted_only = (3 · shifted − middle) / 2, at most 1.

    Args:
        results: Columns as `RESULT_COLUMNS`.

    Returns:
        Rows of the same columns with placement `shifted_only`, one for each test on `shifted` whose network was
        also tested on `middle`. Loss and error counts are missing: they cannot be computed this way.
    """
    keys = ["network", "train_condition", "repeat", "test_condition"]
    middle = results[results["placement"] == "middle"][[*keys, "accuracy"]]
    rows = results[results["placement"] == "shifted"].merge(middle, on=keys, suffixes=("", "_middle"))
    accuracy = ((3 * rows["accuracy"] - rows["accuracy_middle"]) / 2).clip(0, 1)
    images = rows["images"] * 2 // 3
    unknown = dict.fromkeys(("loss", "face_as_no_face", "no_face_as_face"), float("nan"))
    return rows.assign(placement="shifted_only", accuracy=accuracy, images=images, **unknown)[list(RESULT_COLUMNS)]
