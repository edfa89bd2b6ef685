"""Folders of transformers: what reaches the network is what the folder's own image processor gives."""

import numpy as np
import pytest
import torch
import transformers  # whose classes take seconds: named where they are needed
from PIL import Image

from configural import models
from configural.errors import ConfiguralError
from configural.models import Differentiable

SMALL = {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1]}
LABELS = {0: "face", 1: "no face", 2: "other"}


def saved(folder, processor, labels=None, **settings):
    """A small network that takes images of any size, and its processor."""
    torch.manual_seed(1)
    labels = labels or LABELS
    by_label = {label: position for position, label in labels.items()}
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], id2label=labels, label2id=by_label
    )
    config.problem_type = settings.get("problem_type")
    network = transformers.ResNetForImageClassification(config).eval()
    with torch.no_grad():
        network.classifier[-1].weight.mul_(settings.get("sharper", 30))
    network.to(settings.get("dtype")).save_pretrained(folder)
    processor.save_pretrained(folder)
    return network


def noise(size: int, n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def real_log_odds(folder, network, images, position=0) -> np.ndarray:
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    prepared = processor([Image.fromarray(image) for image in images], return_tensors="pt")
    if prepared["pixel_values"].dtype == torch.uint8:
        prepared["pixel_values"] = prepared["pixel_values"].float()
    with torch.no_grad():
        logits = network(**prepared).logits.double()
    others = [other for other in range(logits.shape[1]) if other != position]
    return (logits[:, position] - logits[:, others].logsumexp(dim=1)).numpy()


SIDE = {"height": 32, "width": 32}


@pytest.mark.parametrize(
    ("name", "settings", "drawn", "gradients"),
    [
        ("ViT", {"size": SIDE}, 32, True),
        (
            "ViT",
            {"size": SIDE, "resample": 3, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]},
            32,
            True,
        ),
        ("ViT", {"size": SIDE, "do_rescale": False, "do_normalize": False}, 32, True),
        ("ViT", {"size": {"height": 24, "width": 32}}, None, False),
        ("ViT", {"do_resize": False}, None, True),
        ("ConvNext", {"size": {"shortest_edge": 28}, "crop_pct": 0.875}, 32, True),
        ("ConvNext", {"size": {"shortest_edge": 384}}, 384, True),
        ("EfficientNet", {"size": SIDE}, 32, True),
        ("EfficientNet", {"size": SIDE, "rescale_offset": True, "include_top": False}, 32, True),
        ("MobileViT", {"size": {"shortest_edge": 28}, "crop_size": SIDE}, 28, True),
        ("MobileViT", {"size": {"shortest_edge": 36}, "crop_size": SIDE, "do_flip_channel_order": False}, 36, True),
        ("Bit", {"size": {"shortest_edge": 40}, "crop_size": SIDE}, 40, True),
        ("Bit", {"do_resize": False, "crop_size": SIDE}, 32, True),
        ("Levit", {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}, 32, True),
        ("PoolFormer", {"size": {"shortest_edge": 36}, "crop_size": SIDE}, 40, True),
        ("Perceiver", {"size": {"height": 28, "width": 28}, "crop_size": SIDE}, 32, True),
    ],
)
def test_images_are_prepared_as_by_the_folder_s_own_processor(tmp_path, name, settings, drawn, gradients):
    processor = getattr(transformers, f"{name}ImageProcessorPil")(**settings)
    network = saved(tmp_path, processor)
    opened = models.open(tmp_path)
    assert opened.image_size == drawn
    assert isinstance(opened, Differentiable) == gradients
    assert opened.describe()["preparation"].startswith(f"{name}ImageProcessor")
    # At the size that it is asked for, and at one that the processor has to resize.
    for images in (noise(drawn or 32), noise(50)):
        expected = real_log_odds(tmp_path, network, images)
        np.testing.assert_allclose(opened.log_odds(images), expected, rtol=1e-3, atol=1e-3)
    if gradients:
        images = noise(drawn or 32)
        values = torch.from_numpy(images).permute(0, 3, 1, 2).float().requires_grad_()
        scores = opened.scores(values)
        np.testing.assert_allclose(scores.detach().numpy(), opened.log_odds(images), rtol=1e-3, atol=1e-3)
        scores.sum().backward()
        assert values.grad.abs().max() > 0


def test_a_size_that_is_said_counts_and_leaves_no_gradients_where_it_is_resampled(tmp_path):
    network = saved(tmp_path, transformers.ConvNextImageProcessorPil(size={"shortest_edge": 28}, crop_pct=0.875))
    opened = models.open(tmp_path, image_size=28)
    assert opened.image_size == 28
    assert not isinstance(opened, Differentiable)
    assert "no gradients" in opened.describe()["preparation"]
    expected = real_log_odds(tmp_path, network, noise(28))
    np.testing.assert_allclose(opened.log_odds(noise(28)), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfiguralError, match=r"50 × 50 pixels: .* no gradients"):
        models.open(tmp_path).scores(torch.zeros(1, 3, 50, 50, requires_grad=True))


def test_patches_and_masks_go_to_the_network_by_name(tmp_path):
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Siglip2Config(vision_config=small | {"num_patches": 16, "patch_size": 4})
    config.id2label, config.label2id = {0: "no face", 1: "face"}, {"no face": 0, "face": 1}
    torch.manual_seed(0)
    network = transformers.Siglip2ForImageClassification(config).eval()
    network.save_pretrained(tmp_path)
    transformers.Siglip2ImageProcessorPil(patch_size=4, max_num_patches=16).save_pretrained(tmp_path)
    expected = real_log_odds(tmp_path, network, noise(20), 1)
    np.testing.assert_allclose(models.open(tmp_path).log_odds(noise(20)), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "problem_type"),
    [
        ({0: "face"}, None),
        ({0: "face", 1: "smile"}, "multi_label_classification"),
        ({0: "face", 1: "other"}, None),
    ],
)
def test_outputs_are_read_as_by_transformers_pipeline(tmp_path, labels, problem_type):
    """A sigmoid for a single output or several labels at once, else softmax."""
    saved(tmp_path, transformers.ViTImageProcessorPil(size=SIDE), labels, problem_type=problem_type, sharper=3)
    pipeline = transformers.pipeline("image-classification", model=str(tmp_path))
    said = pipeline([Image.fromarray(image) for image in noise(32)], top_k=None)
    p = np.array([next(one["score"] for one in image if one["label"] == "face") for image in said])
    opened = models.open(tmp_path)
    np.testing.assert_allclose(opened.log_odds(noise(32)), np.log(p / (1 - p)), rtol=1e-2, atol=1e-2)
    assert opened.describe()["positive"] == "0 (face)"


def test_positive_by_position_or_label(tmp_path):
    network = saved(tmp_path, transformers.ViTImageProcessorPil(size=SIDE), {0: "normal_face", 1: "1", 2: "0"})
    with pytest.raises(ConfiguralError, match=r"which class .* 0 \(normal_face\), 1 \(1\), 2 \(0\)"):
        models.open(tmp_path)
    # Text, as it comes from the command line, is a label first.
    for positive, position in (("normal_face", 0), ("0", 2), (2, 2), ("2", 2), (1, 1)):
        opened = models.open(tmp_path, positive=positive)
        expected = real_log_odds(tmp_path, network, noise(32), position)
        np.testing.assert_allclose(opened.log_odds(noise(32)), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(
        ConfiguralError, match=r"positive 0: 0 is the position of normal_face, but another is called 0"
    ):
        models.open(tmp_path, positive=0)
    for positive in ("cat", 3, "3", -1):
        with pytest.raises(ConfiguralError, match=f"'{positive}': there is no such class; choose from 0 "):
            models.open(tmp_path, positive=positive)
    saved(tmp_path, transformers.ViTImageProcessorPil(size=SIDE), {0: "same", 1: "same"})
    with pytest.raises(ConfiguralError, match="'same': two classes are called so"):
        models.open(tmp_path, positive="same")


def test_half_precision_and_an_own_preparation(tmp_path):
    processor = transformers.ViTImageProcessorPil(size=SIDE)
    network = saved(tmp_path, processor)
    expected = real_log_odds(tmp_path, network, noise(32))
    own = models.open(tmp_path, prepare=lambda images: images / 127.5 - 1, image_size=32)
    np.testing.assert_allclose(own.log_odds(noise(32)), expected, rtol=1e-3, atol=1e-3)
    saved(tmp_path, processor, dtype=torch.bfloat16)
    np.testing.assert_allclose(models.open(tmp_path).log_odds(noise(32)), expected, atol=0.3)


def test_what_lacks_something_or_does_not_fit_is_refused(tmp_path):
    network = saved(tmp_path, transformers.ViTImageProcessorPil(size=SIDE))
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfiguralError, match=r"lacks a usable preprocessor_config\.json"):
        models.open(tmp_path)
    network.classifier[-1].weight.data[0, 0] = torch.nan
    network.save_pretrained(tmp_path)
    with pytest.raises(ConfiguralError, match=r"damaged, its classifier\.1\.weight holds"):
        models.open(tmp_path)
    transformers.ResNetModel(transformers.ResNetConfig(**SMALL)).save_pretrained(tmp_path)
    with pytest.raises(ConfiguralError, match="lacks the weights classifier"):
        models.open(tmp_path)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    config.id2label = {0: "face", 1: "no face"}
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size=SIDE).save_pretrained(tmp_path)
    with pytest.raises(ConfiguralError, match=r"does not take what its ViTImageProcessor.* of 32 pixels") as caught:
        models.open(tmp_path)
    assert "\n" not in str(caught.value)
