#!/usr/bin/env bash
# datasets 5.2.0: a text such as 2023-05-01 in an image folder's metadata.jsonl comes back as a point in time, one in
# metadata.csv as text.
#
# JSON has no dates, a quoted value is text. Guess: names of donors such as "2023-05-01" are read as they were written,
# from both kinds of metadata, or converted from both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pillow==13.0.0
cat > see.py <<'PY'
import csv
import json
from pathlib import Path

import datasets
from PIL import Image

print("datasets", datasets.__version__)
rows = [{"file_name": f"{day}.png", "donor": f"2023-05-0{day}"} for day in (1, 2)]
seen = {}
for kind in ("jsonl", "csv"):
    folder = Path(kind) / "train"
    folder.mkdir(parents=True)
    for row in rows:
        Image.new("RGB", (8, 8)).save(folder / row["file_name"])
    with (folder / f"metadata.{kind}").open("w", newline="") as file:
        if kind == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    read = datasets.load_dataset("imagefolder", data_dir=kind, split="train", cache_dir="cache")
    seen[kind] = (read.features["donor"].dtype, repr(read[0]["donor"]))
    print(f"metadata.{kind}: donor is of type {seen[kind][0]}, the first is {seen[kind][1]}")
assert seen["jsonl"] == ("timestamp[s]", "datetime.datetime(2023, 5, 1, 0, 0)"), seen
assert seen["csv"][1] == "'2023-05-01'", seen
print("Every text of a column of JSON lines that looks like a date makes all of them points in time; Parquet keeps text.")
PY
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 venv/bin/python see.py 2>/dev/null
