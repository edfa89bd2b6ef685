import numpy as np
import pandas as pd
import pytest
import torch
from plain_scores import accuracy, confusion, cross_entropy

from configural import models
from configural.errors import ConfiguralError
from configural.evaluation import Predictions, predict
from configural.stimuli import dataset, sample


class Preset(torch.nn.Module):
    """Gives out logits that were chosen beforehand."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)
        self.given = 0

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.given += len(batch)
        return self.logits[self.given - len(batch) : self.given]


@pytest.fixture(scope="module")
def images(blocks):
    return dataset(blocks, sample(blocks, condition="baseline", count=400).subset("test"), size=32)


def test_predictions_follow_from_the_logits(images):
    logits = 3 * torch.randn(len(images), 2, generator=torch.Generator().manual_seed(0))
    predictions = predict(Preset(logits), images, batch_size=7)
    frame = predictions.frame
    assert list(frame.columns) == [
        "index",
        "file",
        "label",
        "placement",
        "predicted",
        "probability_face",
        "log_odds",
    ]
    assert frame["file"].tolist() == images.rows["file"].tolist()
    assert np.allclose(frame["probability_face"], torch.softmax(logits.double(), 1)[:, 1])
    truth, found = images.labels.tolist(), logits.argmax(1).tolist()
    metrics = predictions.metrics()
    assert metrics.accuracy == pytest.approx(accuracy(truth, found))
    assert metrics.confusion_matrix == confusion(truth, found)
    assert metrics.loss == pytest.approx(cross_entropy(truth, logits.tolist()))


def test_incorrect_images_by_class_and_index(images):
    right = torch.nn.functional.one_hot(images.labels, 2).float()
    right[3], right[5], right[len(images) - 1] = 1 - right[3], 1 - right[5], 1 - right[-1]
    wrong = predict(Preset(right), images).incorrect()
    rows = images.rows
    assert wrong["no_face_as_face"]["index"].tolist() == [rows["index"][3], rows["index"][5]]
    assert wrong["face_as_no_face"]["file"].tolist() == [rows["file"].iloc[-1]]


def test_extreme_logits_do_not_overflow(images):
    logits = torch.zeros(len(images), 2)
    logits[:, 1] = 1e4 * (2 * images.labels - 1)
    metrics = predict(Preset(logits), images).metrics()
    assert (metrics.accuracy, metrics.loss) == (1.0, 0.0)
    assert predict(Preset(-logits), images).metrics().loss == pytest.approx(1e4)


def test_not_a_number_is_an_error(images):
    logits = torch.full((len(images), 2), torch.nan)
    with pytest.raises(ConfiguralError, match="not a number"):
        predict(Preset(logits), images)


def test_prediction_does_not_depend_on_the_batch_size(images):
    torch.manual_seed(0)
    network = models.create("cnn-15", 32)
    one, many = (predict(network, images, batch_size=n).frame["log_odds"] for n in (1, 64))
    assert np.allclose(one, many, atol=1e-4)
    assert network.training  # as it was


def test_every_layer_stays_in_its_mode_also_where_it_ends_early(images, tmp_path, monkeypatch):
    """A frozen layer stays frozen, whatever asks the network; a failure leaves none in evaluation mode."""
    network = models.create("fcn-14", 32)
    next(layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)).eval()
    before = [layer.training for layer in network.modules()]
    assert set(before) == {True, False}

    def unchanged() -> bool:
        return [layer.training for layer in network.modules()] == before

    predict(network, images)
    assert unchanged()
    models.summarise(network)
    models.multiply_adds(network)
    assert unchanged()
    models.export_onnx(network, tmp_path / "network.onnx")
    assert unchanged()

    def stop(batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "forward", stop)
    for ask in (predict, lambda network, images: models.multiply_adds(network)):
        with pytest.raises(KeyboardInterrupt):
            ask(network, images)
        assert unchanged()


def test_a_cpu_takes_a_few_images_at_a_time(blocks):
    """As many as fill two images of 256 pixels, never one of several; each network's responses stay in order."""
    sizes = []

    class Squeezing(torch.nn.Module):
        def forward(self, batch):
            sizes.append(len(batch))
            assert len(batch) > 1, "an axis is lost of one image"
            return batch.mean((1, 2, 3)).squeeze().unsqueeze(1) * torch.tensor([0.0, 1.0])

    images = dataset(blocks, sample(blocks, condition="baseline", count=42).subset("train"), size=224)
    batch = torch.stack([image for image, _ in images])
    expected = (batch.float() / 255).mean((1, 2, 3)).double()
    for n in (1, 2, 3, 7, len(images)):
        some = torch.utils.data.Subset(images, range(n))
        if n > 1:
            sizes.clear()
            found = predict(Squeezing(), some).frame["log_odds"]
            assert np.allclose(found, expected[:n], atol=1e-5)
            assert sum(sizes) == n
            assert max(sizes) <= 3
        opened = models.open(Squeezing() if n > 1 else torch.nn.Flatten(), positive=1, output="logits")
        if n > 1:
            assert np.allclose(opened.log_odds(batch[:n].permute(0, 2, 3, 1).numpy()), expected[:n], atol=1e-5)


def test_round_trip_and_bad_files(images, tmp_path):
    predictions = predict(models.create("fcn-14", 32), images)
    path = tmp_path / "predictions.csv"
    predictions.save(str(path))  # a name is as good as a path
    back = Predictions.load(str(path))
    pd.testing.assert_frame_equal(back.frame, predictions.frame)
    assert back.metrics() == predictions.metrics()
    predictions.frame.drop(columns="label").to_csv(path)
    with pytest.raises(ConfiguralError, match="lacks the column label"):
        Predictions.load(path)
    with pytest.raises(ConfiguralError, match="there is no such file"):
        Predictions.load(tmp_path / "none.csv")


def test_other_objects_have_classes_of_their_own(images, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "class_names", ("ruin", "house"))
    logits = 3 * torch.randn(len(images), 2, generator=torch.Generator().manual_seed(0))
    predictions = predict(Preset(logits), images)
    assert "probability_house" in predictions.frame
    assert predictions.metrics().class_names == ("ruin", "house")
    assert set(predictions.incorrect()) == {"house_as_ruin", "ruin_as_house"}
    predictions.save(tmp_path / "p.csv")
    assert Predictions.load(tmp_path / "p.csv").class_names == ("no_house", "house")
    back = Predictions.load(tmp_path / "p.csv", class_names=("ruin", "house"))
    assert back.metrics() == predictions.metrics()
    assert back.probability().equals(predictions.frame["probability_house"])
    predictions.frame.drop(columns="probability_house").to_csv(tmp_path / "p.csv")
    with pytest.raises(ConfiguralError, match="lacks the column probability_CLASS"):
        Predictions.load(tmp_path / "p.csv")
