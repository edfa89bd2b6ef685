#!/usr/bin/env bash
# transformers 5.23.0: PvtConfig says 1000 classes, whatever labels it is given.
#
# Every configuration of transformers derives `num_labels` from `id2label`. Guess: a PvtConfig made with two labels has
# num_labels 2, as a ViTConfig has, and one made with num_labels=2 has two labels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.23.0
cat > see.py <<'PY'
import transformers
from transformers import PvtConfig, ViTConfig

labels = {"id2label": {0: "face", 1: "no_face"}, "label2id": {"face": 0, "no_face": 1}}
print("transformers", transformers.__version__)
seen = {}
for kind in (ViTConfig, PvtConfig):
    named, counted = kind(**labels), kind(num_labels=2)
    seen[kind.__name__] = (named.num_labels, counted.id2label)
    print(f"{kind.__name__}: two labels give num_labels {named.num_labels}; num_labels=2 gives id2label {counted.id2label}")
assert seen["ViTConfig"] == (2, {0: "LABEL_0", 1: "LABEL_1"}), seen
assert seen["PvtConfig"] == (1000, None), seen
print("PvtConfig has a field num_labels of its own, which stands before the property that counts the labels: a network of")
print("two labels is made with 1000 outputs, and a folder saved from it names two of them.")
PY
venv/bin/python see.py 2>/dev/null
