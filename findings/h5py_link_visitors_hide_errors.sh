#!/usr/bin/env bash
# h5py 3.16.0: what a function raises that visits the links of an HDF5 file, as of a Keras model, arrives as SystemError;
# raised by a function that visits its objects, it arrives as it is.
#
# Whoever looks through a model's file before loading it raises an error of its own at the first link that leads out of
# the file. Guess: all four ways to visit hand it on, and `except` catches it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet h5py==3.16.0 numpy==2.4.6
cat > see.py <<'PY'
import h5py


class Refused(Exception):
    pass


def refuse(name, *_):
    raise Refused(name)


print("h5py", h5py.__version__)
with h5py.File("model.h5", "w") as file:
    file.create_group("model_weights/Conv_1")["kernel"] = [0.0, 1.0]
arrived = {}
with h5py.File("model.h5") as file:
    for way in ("visit", "visititems", "visit_links", "visititems_links"):
        try:
            getattr(file, way)(refuse)
        except Exception as error:
            arrived[way] = type(error).__name__, type(error.__cause__).__name__
        print(f"{way}: {arrived[way][0]}, because of {arrived[way][1]}")
of_objects, of_links = ("Refused", "NoneType"), ("SystemError", "Refused")
assert arrived == {
    "visit": of_objects,
    "visititems": of_objects,
    "visit_links": of_links,
    "visititems_links": of_links,
}, arrived
PY
venv/bin/python see.py
echo "As expected: what a visitor of links raises arrives as SystemError, with the error itself as its cause."
