#!/usr/bin/env bash
# transformers 5.23.0: PPLCNetForImageClassification calls its class scores last_hidden_state, and its "dropout" never drops.
#
# Guess: like every other ...ForImageClassification it returns an output with `logits`, can be given labels and then
# returns a loss, and its hidden_dropout_prob matters in training alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 transformers==5.23.0
cat > see.py <<'PY'
import torch
import transformers
from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, PPLCNetConfig, PPLCNetForImageClassification

print("transformers", transformers.__version__)
torch.manual_seed(0)
images, labels = torch.rand(3, 3, 64, 64), torch.tensor([0, 1, 1])


def keys(network):
    with torch.inference_mode():
        return list(network.eval()(pixel_values=images, labels=labels).keys())


usual = keys(MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=2)))
network = PPLCNetForImageClassification(PPLCNetConfig(num_labels=2))
seen = keys(network)
print("with labels given, MobileNetV2 returns", usual, "and PP-LCNet", seen)
assert usual == ["loss", "logits"], usual
assert seen == ["last_hidden_state"], seen
with torch.inference_mode():
    scores = network(pixel_values=images).last_hidden_state
    assert scores.shape == (3, 2), scores.shape
    bias = network.head.bias
    network.hidden_dropout_prob = 0.0
    without = network(pixel_values=images).last_hidden_state
    network.hidden_dropout_prob = 0.5
    halved = network(pixel_values=images).last_hidden_state
torch.testing.assert_close(halved - bias, (without - bias) / 2)
print("PP-LCNet's last_hidden_state has shape", tuple(scores.shape), "and holds the scores of the two classes; labels are taken and")
print("ignored, without a loss. A hidden_dropout_prob of 0.5 halves what the last layer gets in evaluation, always and")
print("exactly: it is a factor, not a dropout.")
PY
venv/bin/python see.py 2>/dev/null
