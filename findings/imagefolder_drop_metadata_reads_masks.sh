#!/usr/bin/env bash
# datasets 5.2.0: with drop_metadata=True, images in masks/train/ are training images too.
#
# A set of images and their masks: train/ with metadata that names the images, masks/train/ with the masks. Guess:
# without the metadata the split train has the images of the folder train/, three, and no labels of their own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pillow==13.0.0
cat > see.py <<'PY'
import json
from pathlib import Path

import datasets
from PIL import Image

print("datasets", datasets.__version__)
for folder in ("set/train/face", "set/masks/train/face"):
    Path(folder).mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (8, 8)).save(f"{folder}/{number}.png")
rows = [{"file_name": f"face/{number}.png", "host": f"h{number}"} for number in range(3)]
Path("set/train/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

seen = []
for dropped in (False, True):
    more = {"drop_metadata": True} if dropped else {}
    read = datasets.load_dataset("imagefolder", data_dir="set", **more, split="train", cache_dir="cache")
    seen.append(len(read))
    print(f"metadata {'dropped' if dropped else 'read'}: {len(read)} training images")
assert seen == [3, 6], seen
print("Any folder named train, however deep, is part of the split; the metadata alone keep masks apart from images.")
PY
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 venv/bin/python see.py 2>/dev/null
