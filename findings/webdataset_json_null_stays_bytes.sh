#!/usr/bin/env bash
# webdataset 1.0.2: a member .json that holds null is decoded to the bytes b"null", every other JSON to its value.
#
# Landmarks beside each portrait, null where no face was found, written by webdataset itself from None. Guess: decoded,
# they are None again, and `if landmarks:` leaves the portraits without a face out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet webdataset==1.0.2 numpy==2.4.6
cat > see.py <<'PY'
import tarfile

import webdataset as wds

print("webdataset", wds.__version__)
written = {"found": [[12, 30], [40, 31]], "none": [], "unsure": False, "missed": None}
with wds.TarWriter("portraits.tar") as tar:
    for key, landmarks in written.items():
        tar.write({"__key__": key, "landmarks.json": landmarks})
with tarfile.open("portraits.tar") as tar:
    texts = {key: tar.extractfile(f"{key}.landmarks.json").read() for key in written}
seen = {}
for sample in wds.WebDataset("portraits.tar", shardshuffle=False).decode():
    key, value = sample["__key__"], sample["landmarks.json"]
    seen[key] = value
    print(f"{key}: {written[key]!r} written, {texts[key]!r} in the file, {value!r} read, true: {bool(value)}")
assert texts["missed"] == b"null", texts
assert seen == {"found": [[12, 30], [40, 31]], "none": [], "unsure": False, "missed": b"null"}, seen
print("A decoder that answers None counts as one that does not know the file, so its bytes are handed on; they are true,")
print("and even have a length.")
PY
venv/bin/python -W ignore see.py
