import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

import configural as cf
import configural.io.files
from configural.errors import ConfiguralError
from configural.export import label_image, read, write
from configural.stimuli import Renderer, StimulusTable, dataset, sample


@pytest.fixture(scope="module")
def table(blocks):
    return sample(blocks, condition="baseline", count=100, seed=4)


def test_items_are_the_drawn_images(blocks, table):
    images = dataset(blocks, table, size=40)
    assert images.table is table
    assert len(images) == 100
    for position in (0, 57, 99):
        image, label = images[position]
        assert np.array_equal(image.permute(1, 2, 0), Renderer(blocks, size=40).draw(table[position]))
        assert label == table[position].label


def test_works_in_a_plain_data_loader(blocks, table):
    images = dataset(blocks, table, size=24)
    batch, labels = next(iter(torch.utils.data.DataLoader(images, batch_size=8, collate_fn=lambda b: b)))
    assert batch.shape == (8, 3, 24, 24)
    assert batch.dtype == torch.uint8
    assert labels.tolist() == [0] * 8


def test_another_library_is_refused(blocks, table):
    with pytest.raises(ConfiguralError, match="another library"):
        dataset(cf.portraits.Library("blocks", blocks.exemplars[:8]), table, size=24)


def test_folder_layout_and_contents(blocks, table, tmp_path):
    out = tmp_path / "set"
    write(table, out, library=blocks, size=40, masks=True)
    renderer = Renderer(blocks, size=40)
    for stimulus, name in zip(table, table.frame["file"], strict=True):
        stored = cv2.imread(str(out / name))[:, :, ::-1]
        assert np.array_equal(stored, renderer.draw(stimulus))
        mask = cv2.imread(str(out / "masks" / name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, label_image(renderer, stimulus))
        for value, kind in enumerate(("left_eye", "right_eye", "nose", "mouth"), start=1):
            slot = [content.kind for content in stimulus.contents].index(kind)
            assert np.array_equal(mask == value, renderer.draw_masks(stimulus)[slot])
    assert len(list(out.glob("*/*/*.png"))) == 100
    assert list(StimulusTable.load(out / "stimuli.parquet")) == list(table)
    assert len(pd.read_parquet(out / "stimuli.parquet")) == 100
    described = json.loads((out / "dataset.json").read_text())
    assert described["fingerprint"] == blocks.fingerprint
    assert described["images"] == {"train": 82, "valid": 4, "test": 14}
    assert described["configural"] == cf.__version__
    assert (described["condition"]["name"], described["seed"], described["count"]) == ("baseline", 4, 100)
    assert not list(tmp_path.glob("*.partial"))


def test_a_broken_off_folder_is_continued(blocks, table, tmp_path, monkeypatch):
    calls = []

    def fails_late(path, content, durable=False):
        if path.suffix == ".png":
            calls.append(path)
            if len(calls) == 50:
                raise OSError(28, "No space left on device", str(path))
        real(path, content, durable)

    real = cf.io.files.write_bytes
    monkeypatch.setattr(cf.io.files, "write_bytes", fails_late)
    with pytest.raises(OSError, match="No space left"):
        write(table, tmp_path / "set", library=blocks, size=24)
    assert not (tmp_path / "set").exists()
    with pytest.raises(ConfiguralError, match="begun with other settings"):
        write(table, tmp_path / "set", library=blocks, size=25)
    calls.extend([None] * 50)
    write(table, tmp_path / "set", library=blocks, size=24)
    assert len(calls) == 100 + 100 - 49 + 1  # and the sheet of examples
    write(table, tmp_path / "fresh", library=blocks, size=24)
    for path in (tmp_path / "fresh").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "set" / path.relative_to(tmp_path / "fresh")).read_bytes()
    with pytest.raises(ConfiguralError, match="not empty"):
        write(table, tmp_path / "set", library=blocks, size=24)


def test_reading_a_folder_back(blocks, table, tmp_path):
    write(table, tmp_path / "set", library=blocks, size=40)
    images = read(tmp_path / "set", size=40)
    test = table.subset("test")
    assert images.rows["file"].tolist() == test.frame["file"].tolist()
    assert images.rows["index"].tolist() == test.frame["index"].tolist()
    drawn = dataset(blocks, test, size=40)
    assert torch.equal(images.fetch(list(range(14))), drawn.fetch(list(range(14))))
    assert torch.equal(images.labels, drawn.labels)


def test_reading_bad_folders(blocks, table, tmp_path):
    with pytest.raises(ConfiguralError, match="no such folder"):
        read(tmp_path / "none", size=40)
    with pytest.raises(ConfiguralError, match="has no folder 'no_face'"):
        read(tmp_path, size=40)
    (tmp_path / "no_face").mkdir()
    (tmp_path / "face").mkdir()
    with pytest.raises(ConfiguralError, match="no_face: holds no images"):
        read(tmp_path, size=40)
    done, encoded = cv2.imencode(".png", np.zeros((8, 9, 3), np.uint8))
    assert done
    (tmp_path / "no_face" / "a.png").write_bytes(encoded.tobytes())
    with pytest.raises(ConfiguralError, match="face: holds no images"):
        read(tmp_path, size=40)
    (tmp_path / "face" / "a.png").write_bytes(encoded.tobytes())
    (tmp_path / "face" / "a.jpg").write_bytes(b"")
    with pytest.raises(ConfiguralError, match="two images of one name"):
        read(tmp_path, size=40)
    (tmp_path / "face" / "a.jpg").unlink()
    (tmp_path / "face" / "._a.png").write_bytes(b"")  # as macOS leaves them
    with pytest.raises(ConfiguralError, match="9×8 pixels instead of 40×40"):
        read(tmp_path, size=40)
    (tmp_path / "face" / "a.png").write_bytes(encoded.tobytes()[:-20])
    (tmp_path / "no_face" / "a.png").write_bytes(encoded.tobytes()[:-20])
    with pytest.raises(ConfiguralError, match=r"a\.png"):
        read(tmp_path, size=40)
