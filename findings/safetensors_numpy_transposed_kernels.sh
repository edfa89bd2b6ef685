#!/usr/bin/env bash
# safetensors 0.8.0: a numpy array turned by transpose is saved in the order of its memory, yet under its new shape; what
# is read back has that shape and the numbers in other places, without a word.
#
# Whoever brings a kernel of Keras (height, width, in, out) into the order of torch (out, in, height, width) saves such a
# turned view. Guess: it is read back as it was, as from a .npz, or refused, as the library does with such a torch tensor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6
cat > see.py <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

print("safetensors", safetensors.__version__, "numpy", np.__version__)
kernel = np.arange(3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 2, 4)  # height, width, in, out
turned = kernel.transpose(3, 2, 0, 1)
kernels = {"as Keras has it": kernel, "turned": turned, "turned and copied": np.ascontiguousarray(turned)}
save_file(kernels, "kernels.safetensors")
np.savez("kernels.npz", **kernels)
tensors, arrays = load_file("kernels.safetensors"), np.load("kernels.npz")
seen = {}
for name, saved in kernels.items():
    assert tensors[name].shape == saved.shape, name
    seen[name] = (np.array_equal(tensors[name], saved), np.array_equal(arrays[name], saved))
    print(f"{name}, {saved.shape}: read back the same from .safetensors: {seen[name][0]}, from .npz: {seen[name][1]}")
assert seen == {"as Keras has it": (True, True), "turned": (False, True), "turned and copied": (True, True)}, seen
assert np.array_equal(tensors["turned"].ravel(), kernel.ravel())
print("of the turned kernel, the first row was", turned[0, 0, 0].tolist(), "and is", tensors["turned"][0, 0, 0].tolist())
print("The numbers of the kernel before it was turned are read in its new shape: every filter is made of parts of others.")
PY
venv/bin/python see.py
