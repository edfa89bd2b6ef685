#!/usr/bin/env bash
# shapiq 1.4.1: given enough calls to ask for every subset of four parts, PermutationSamplingSII asks for one and says that
# no part matters and no pair interacts, without a warning; PermutationSamplingSTII warns.
#
# A face has four parts, hence 16 subsets, and a budget of 16 is what the exact computation needs. Guess: with it each
# approximation is exact, or near it, or says that the budget is too small.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet shapiq==1.4.1 numpy==2.4.6
cat > see.py <<'PY'
import warnings
from importlib.metadata import version

import numpy as np
from shapiq import ExactComputer
from shapiq.approximator import KernelSHAPIQ, PermutationSamplingSII, PermutationSamplingSTII

print("shapiq", version("shapiq"))
asked = 0


def network(subsets):
    """Says face where both eyes are there, and a little more with a nose."""
    global asked
    subsets = np.atleast_2d(subsets).astype(float)
    asked += len(subsets)
    return subsets[:, 0] * subsets[:, 1] + 0.5 * subsets[:, 2]


exact = ExactComputer(network, 4)(index="SII", order=2)
print(f"exactly: the nose {exact[(2,)]:.2f}, the pair of eyes {exact[(0, 1)]:.2f}")
seen = {}
for kind in (KernelSHAPIQ, PermutationSamplingSTII, PermutationSamplingSII):
    for budget in (16, 32):
        asked = 0
        more = {} if kind is PermutationSamplingSTII else {"index": "SII"}
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = kind(n=4, max_order=2, random_state=0, **more).approximate(budget=budget, game=network)
        nose, eyes = (round(float(found[key]), 2) for key in ((2,), (0, 1)))
        said = any("budget" in str(warning.message) for warning in warned)
        seen[kind.__name__, budget] = (asked, nose, eyes, said)
        print(f"{kind.__name__}, budget {budget}: calls {asked}, the nose {nose}, the eyes {eyes}, warned of budget: {said}")
assert abs(exact[(0, 1)] - 1) < 1e-6 and abs(exact[(2,)] - 0.5) < 1e-6, exact
assert seen["KernelSHAPIQ", 16][1:] == (0.5, 1.0, False), seen
assert seen["PermutationSamplingSTII", 16][2:] == (0.0, True), seen
assert seen["PermutationSamplingSII", 16] == (1, 0.0, 0.0, False), seen
assert seen["PermutationSamplingSII", 32][2:] == (1.0, False), seen
print("One permutation of four parts takes more calls than there are subsets; below that nothing is measured, and the zeros")
print("that the result begins with are returned as an estimate.")
PY
venv/bin/python see.py
