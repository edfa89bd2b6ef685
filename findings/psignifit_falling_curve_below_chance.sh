#!/usr/bin/env bash
# psignifit 4.3: a falling psychometric function (neg_norm) of a 2AFC experiment never exceeds 50 % correct; the guess rate
# is taken from its top, so data that fall from 100 % to chance cannot be fitted, and no warning says so.
#
# Two faces, one of them intact: the more both are blurred, the fewer choices are right, down to chance. Guess: neg_norm
# fits them with the mirror image of the curve that norm fits to the same counts at levels in reverse, from 100 % to 50 %.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet psignifit==4.3 numpy==2.4.6 scipy==1.17.1
cat > see.py <<'PY'
import warnings
from importlib.metadata import version

import numpy as np
import psignifit

print("psignifit", version("psignifit"))
blurs = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
correct, trials = np.array([20, 18, 14, 11, 10]), np.full(5, 20)
print("blur        ", *blurs.astype(int).tolist())
print("observed    ", *(correct / trials).round(2).tolist())
seen = {}
for sigmoid, x in (("norm", blurs.max() - blurs), ("neg_norm", blurs)):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fit = psignifit.psignifit(np.column_stack([x, correct, trials]), sigmoid=sigmoid, experiment_type="2AFC")
    eta = fit.parameter_estimate_MAP["eta"]
    seen[sigmoid] = fit.proportion_correct(x)
    print(f"{sigmoid:12}", *seen[sigmoid].round(2).tolist(), f"with an overdispersion of {eta:.2f}; warnings: {len(warned)}")
    assert not warned, [str(warning.message) for warning in warned]
assert np.abs(seen["norm"] - correct / trials).max() < 0.05, seen
assert seen["neg_norm"].max() <= 0.5 + 1e-9, seen
top = psignifit.sigmoids.sigmoid_by_name("neg_norm")(-1e6, threshold=20, width=20, gamma=0.5, lambd=0.0)
bottom = psignifit.sigmoids.sigmoid_by_name("neg_norm")(1e6, threshold=20, width=20, gamma=0.5, lambd=0.0)
print(f"With a guess rate of 0.5 and no lapses neg_norm falls from {top:.2f} to {bottom:.2f}.")
assert (round(float(top), 6), round(float(bottom), 6)) == (0.5, 0.0), (top, bottom)
print("The rising curve from chance to 1 is subtracted from 1, guesses and lapses included: what is chance at the bottom")
print("becomes the top. Levels with their signs changed, and norm, give the fit that was meant.")
PY
venv/bin/python see.py
