"""How well masks by landmarks agree with hand-made ones: `python benchmarks/landmark_table.py FASSEG/V2`.

Prints the intersection over union (IoU) of each part, mean and worst, over the Train and the Test portraits. With
--fit, it prints instead how far each point is moved outwards, for src/configural/portraits/outlines.yaml: the mean
distance, over the Train portraits alone, from the point to the hand-made outline, along the outline's normal.
"""

import argparse
from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates

from configural.objects import FACE
from configural.portraits import Exemplar, load
from configural.portraits.landmarks import Landmarker, find_bundle
from configural.portraits.outlines import eye_distance, outlines, outwards, part_masks

REACH, STEPS = 0.18, 121  # how far from a point the hand-made outline is looked for, in eye distances


def distances(exemplar: Exemplar, points: np.ndarray, kind: str) -> np.ndarray:
    """From each point of an outline outwards to the hand-made one, in eye distances; NaN where it is not met."""
    outline = points[list(outlines()[kind].points)]
    normals, unit = outwards(outline), eye_distance(points)
    mask = exemplar.segmentation == 1 + FACE.index(kind)
    inside = distance_transform_edt(mask) - distance_transform_edt(~mask)
    steps = np.linspace(-REACH, REACH, STEPS)
    places = outline[:, None] + steps[:, None] * unit * normals[:, None]
    levels = map_coordinates(inside, [places[..., 1], places[..., 0]], order=1, mode="nearest")
    found = np.full(len(outline), np.nan)
    for at, along in enumerate(levels):
        crossings = steps[np.flatnonzero((along[:-1] > 0) & (along[1:] <= 0))]
        if len(crossings):
            found[at] = crossings[np.argmin(np.abs(crossings))]
    return found


def fit(exemplars: Mapping[str, Exemplar], points: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """By part kind, how far each point is to be moved; both eyes have the same numbers."""
    means = {
        kind: np.nan_to_num(np.nanmean([distances(exemplars[name], points[name], kind) for name in points], axis=0))
        for kind in FACE.part_kinds
    }
    for pair in FACE.interchangeable:
        for kind in pair:
            means[kind] = np.mean([means[each] for each in pair], axis=0) if kind == pair[0] else means[pair[0]]
    return {kind: [round(float(number), 3) for number in mean] for kind, mean in means.items()}


def main() -> None:
    """Print the table, or what --fit asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="FASSEG's V2")
    parser.add_argument("--fit", action="store_true", help="print how far the points are to be moved")
    asked = parser.parse_args()
    exemplars = {exemplar.name: exemplar for exemplar in load(f"fasseg:{asked.folder}").exemplars}
    landmarker, points = Landmarker(find_bundle()), {}
    for name, exemplar in exemplars.items():
        points[name] = landmarker.faces(exemplar.portrait)[0].points
    if asked.fit:
        train = {name: points[name] for name in points if name.startswith("Train")}
        for kind, moved in fit(exemplars, train).items():
            print(f"{kind}: {moved}")
        return
    print("| portraits |" + "".join(f" {kind} |" for kind in FACE.part_kinds) + " mean |")
    print("|---|" + "---|" * (len(FACE.part_kinds) + 1))
    for subset in ("Train", "Test"):
        ious = []
        for name in points:
            if name.startswith(subset):
                drawn = exemplars[name].segmentation
                made = part_masks(points[name], exemplars[name].size)
                hand = {kind: drawn == 1 + FACE.index(kind) for kind in FACE.part_kinds}
                ious.append([(hand[k] & made[k]).sum() / (hand[k] | made[k]).sum() for k in FACE.part_kinds])
        mean, worst = np.mean(ious, axis=0), np.min(ious, axis=0)
        cells = "".join(f" {m:.3f} (worst {w:.3f}) |" for m, w in zip(mean, worst, strict=True))
        print(f"| {len(ious)} {subset} |{cells} {mean.mean():.3f} |")


if __name__ == "__main__":
    main()
