"""The cache of prepared exemplars: what comes out of it is what went in, whatever happened to its files."""

import dataclasses
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import block_exemplar
from plain_fasseg import fasseg_exemplars

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.portraits import Exemplar, Library, load
from configural.portraits import store as store_module
from configural.portraits.label_folder import LabelFolder
from configural.portraits.published import published, published_set
from configural.portraits.store import StoredExemplars, prepare
from configural.stimuli import Renderer, sample

COLOURS = np.array([[255, 255, 0], [0, 0, 255], [255, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)


def add(folder: Path, number: int, **options: int) -> None:
    exemplar = block_exemplar(str(number), shade=60 + 9 * number, **options)
    for name, image in (("RGB", exemplar.portrait), ("Labels", COLOURS[exemplar.segmentation])):
        path = folder / f"Train_{name}" / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Portraits, and what the cache keeps of them."""
    folder = tmp_path_factory.mktemp("made")
    for number in range(1, 6):
        add(folder / "portraits", number)
    (folder / "portraits" / "Train_Labels" / "4.bmp").unlink()
    prepare(published("fasseg", folder / "portraits"), folder / "prepared")
    return folder


@pytest.fixture(scope="module")
def eager(made: Path) -> list[Exemplar]:
    """The exemplars, without the cache."""
    return fasseg_exemplars(made / "portraits")[0]


@pytest.fixture
def portraits(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "portraits", tmp_path / "portraits")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


@pytest.fixture
def prepared_place(made: Path, place: Path) -> Path:
    """Where all is prepared already; what the file system said of the portraits then, it says of others."""
    return shutil.copytree(made / "prepared", place)


class Counting(LabelFolder):
    """Notes which portraits are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, published_set("fasseg").layouts[0], where=str(folder))
        self.read_names: list[str] = []

    def read(self, name: str) -> Exemplar:
        self.read_names.append(name)
        return super().read(name)


def prepared(portraits: Path, place: Path) -> tuple[StoredExemplars, list[str]]:
    """The exemplars, and the names that were read from their portraits to get them."""
    source = Counting(portraits)
    exemplars, skipped = prepare(source, place)
    assert [name for name, _ in skipped] == ["Train/4"]
    return exemplars, source.read_names


def assert_same(stored: Exemplar, eager: Exemplar) -> None:
    assert (stored.name, stored.person, stored.digest) == (eager.name, eager.person, eager.digest)
    for name in ("portrait", "segmentation", "canvas"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(eager, name))
    for mine, other in zip(stored.parts, eager.parts, strict=True):
        assert (mine.kind, mine.anchor) == (other.kind, other.anchor)
        np.testing.assert_array_equal(mine.pixels, other.pixels)
        np.testing.assert_array_equal(mine.mask, other.mask)


def test_cached_exemplars_are_the_exemplars(portraits, place):
    eager, skipped = fasseg_exemplars(portraits)
    for _ in range(2):
        exemplars, found = prepare(published("fasseg", portraits), place)
        assert found == skipped
        for stored, other in zip(exemplars, eager, strict=True):
            assert_same(stored, other)
        library, plain = Library("stored", exemplars), Library("plain", eager)
        assert library.fingerprint == plain.fingerprint
        for name in ("anchors", "part_sizes", "canvas_sizes"):
            np.testing.assert_array_equal(getattr(library, name), getattr(plain, name))
        table = sample(plain, condition="baseline", count=40)
        mine, other = Renderer(library, size=24), Renderer(plain, size=24)
        for position in range(5):
            np.testing.assert_array_equal(mine.draw(table[position]), other.draw(table[position]))


def test_portraits_that_were_moved_are_not_prepared_again(portraits, prepared_place, tmp_path):
    moved = shutil.copytree(portraits, tmp_path / "moved")
    damaged = min(prepared_place.glob("*.zip"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    exemplars, read = prepared(moved, tmp_path / "of the moved")
    assert len(read) == 2  # the damaged one and the one that cannot be used
    shutil.rmtree(prepared_place)  # which the others do not need any more
    for stored, other in zip(exemplars, fasseg_exemplars(portraits)[0], strict=True):
        assert_same(stored, other)


def test_second_load_reads_neither_portraits_nor_pixels(portraits, place):
    first, read = prepared(portraits, place)
    assert read == [f"Train/{number}" for number in range(1, 6)]
    fingerprint = Library("first", first).fingerprint
    for path in place.glob("*.zip"):
        path.write_bytes(b"\0" * path.stat().st_size)  # nobody may look inside
    exemplars, read = prepared(portraits, place)
    assert read == []
    library = Library("second", exemplars)
    assert library.fingerprint == fingerprint
    assert library.anchors.shape == (4, 4, 2)
    assert {exemplar.person for exemplar in library.exemplars} == {exemplar.name for exemplar in library.exemplars}


def test_an_interrupted_preparation_is_resumed(portraits, place):
    class Broken(Counting):
        def read(self, name: str) -> Exemplar:
            if name == "Train/3":
                raise KeyboardInterrupt
            return super().read(name)

    with pytest.raises(KeyboardInterrupt):
        prepare(Broken(portraits), place)
    exemplars, read = prepared(portraits, place)
    assert read == ["Train/3", "Train/4", "Train/5"]
    assert [exemplar.name for exemplar in exemplars] == ["Train/1", "Train/2", "Train/3", "Train/5"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def flip(path: Path) -> None:
    """Change a byte in the middle of every member."""
    data = bytearray(path.read_bytes())
    for position in range(200, len(data) - 200, 150):
        data[position] ^= 0x55
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("loaded_before", [True, False])
def test_a_damaged_exemplar_is_made_again(portraits, prepared_place, eager, damage, loaded_before):
    place = prepared_place
    exemplars, _ = prepared(portraits, place)
    key = exemplars.entries[2].key
    damage(place / f"{key}.zip")
    if not loaded_before:
        exemplars, _ = prepared(portraits, place)
    for stored, other in zip(exemplars, eager, strict=True):
        assert_same(stored, other)
    again, read = prepared(portraits, place)
    assert read == []
    assert_same(again[2], eager[2])


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"exemplars": [{}], "unusable": {}}', '{"exemplars": 3}', "null"]
)
def test_a_damaged_index_costs_no_preparation(portraits, prepared_place, content):
    place = prepared_place
    first, _ = prepared(portraits, place)
    (place / "index.jsonl").write_text(content)
    exemplars, read = prepared(portraits, place)
    assert read == ["Train/4"]  # nothing is kept of what could not be used
    for stored, other in zip(exemplars, first, strict=True):
        assert_same(stored, other)
    assert prepared(portraits, place)[1] == []


CHANGES = {
    r'"anchors":\[\[(\d+)': '"anchors":[[1',
    r'"part_sizes":\[\[(\d+)': '"part_sizes":[[3',
    r'"box":\[(\d+)': '"box":[1',
    r'"size":\[(\d+)': '"size":[200',
    r'"portrait_crc":(\d+)': '"portrait_crc":7',
    r'"digest":"(\w+)"': '"digest":"0"',
}


def test_an_index_or_entry_that_was_changed_is_not_believed(portraits, prepared_place, eager):
    """As valid as before, in the index and in the exemplars' own files."""
    place = prepared_place
    prepared(portraits, place)
    index = place / "index.jsonl"
    text = index.read_text()
    for before, after in {**CHANGES, '"unusable":{"': '"unusable":{"0":"made up","'}.items():
        changed = re.sub(before, after, text)
        assert changed != text
        index.write_text(changed)
        assert_all_same(prepared(portraits, place)[0], eager)
        assert index.read_text() == text
    index.unlink()
    for path, (before, after) in zip(place.glob("*.zip"), CHANGES.items(), strict=False):
        edit = partial(re.sub, before, after)
        rewritten(path, lambda name, data, edit=edit: edit(data.decode()).encode() if "entry" in name else data)
    exemplars, read = prepared(portraits, place)
    assert len(read) == 5
    assert_all_same(exemplars, eager)


def test_other_pixels_in_an_exemplars_file_are_not_believed(portraits, prepared_place, eager):
    place = prepared_place
    exemplars, _ = prepared(portraits, place)
    for path, member in zip(place.glob("*.zip"), ("canvas.png", "portrait.png", "segmentation.png"), strict=False):

        def repainted(name: str, data: bytes, member: str = member) -> bytes:
            if name != member:
                return data
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            return cv2.imencode(".png", np.roll(pixels, 1, axis=0))[1].tobytes()

        rewritten(path, repainted)
    assert_all_same(exemplars, eager)


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """A sound zip file of changed members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))


def assert_all_same(stored: Iterable[Exemplar], others: Iterable[Exemplar]) -> None:
    for one, other in zip(stored, others, strict=True):
        assert_same(one, other)
        assert (one.anchors, one.part_sizes, one.size) == (other.anchors, other.part_sizes, other.size)
        assert one.portrait_crc == other.portrait_crc


def test_what_changes_is_prepared_again_and_what_is_gone_is_removed(portraits, prepared_place):
    place = prepared_place
    prepared(portraits, place)
    add(portraits, 2, cols=110)
    (portraits / "Train_RGB" / "5.bmp").unlink()
    (portraits / "Train_Labels" / "5.bmp").unlink()
    exemplars, read = prepared(portraits, place)
    assert read == ["Train/2"]
    assert [exemplar.size for exemplar in exemplars] == [(124, 96), (124, 110), (124, 96)]
    assert exemplars[1].canvas.shape == (124, 110, 3)
    assert len(list(place.glob("*.zip"))) == 3
    add(portraits, 4)
    source = Counting(portraits)
    assert prepare(source, place)[1] == []
    assert source.read_names == ["Train/4"]


def test_an_exemplar_that_changed_since_it_was_loaded_is_not_mixed_in(portraits, prepared_place):
    place = prepared_place
    exemplars, _ = prepared(portraits, place)
    (place / f"{exemplars.entries[1].key}.zip").unlink()
    add(portraits, 2, cols=110)
    with pytest.raises(ConfiguralError, match="Train/2 has changed"):
        _ = exemplars[1].canvas


def test_memory_is_bounded(portraits, prepared_place, monkeypatch):
    monkeypatch.setattr(store_module, "_PIXELS_KEPT", 1)
    exemplars, _ = prepared(portraits, prepared_place)
    assert exemplars.canvas.cache_info().maxsize == 8
    few = [exemplars[0].canvas for _ in range(3)]
    assert exemplars.canvas.cache_info().hits == 2
    assert not few[0].flags.writeable


def test_stored_exemplars_behave_as_a_sequence(portraits, prepared_place):
    exemplars, _ = prepared(portraits, prepared_place)
    assert isinstance(exemplars[0], Exemplar)
    assert exemplars[-1].name == "Train/5"
    assert [exemplar.name for exemplar in exemplars[1:3]] == ["Train/2", "Train/3"]
    with pytest.raises(IndexError):
        exemplars[4]
    other = pickle.loads(pickle.dumps(exemplars))
    assert_same(other[3], exemplars[3])
    renamed = dataclasses.replace(exemplars[0], person="somebody")
    assert renamed.person == "somebody"
    np.testing.assert_array_equal(renamed.canvas, exemplars[0].canvas)


def test_load_uses_the_cache_folder_of_the_environment(portraits, eager, tmp_path, monkeypatch):
    monkeypatch.setenv("CONFIGURAL_CACHE", str(tmp_path / "mine"))
    with pytest.warns(PortraitSkippedWarning, match="Train/4"):
        first = load(f"fasseg:{portraits}")
    (place,) = (tmp_path / "mine" / "exemplars").iterdir()
    assert place.name.startswith("fasseg-portraits-")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(PortraitSkippedWarning, match="Train/4"):
        second = load("fasseg:portraits")  # the same place, written otherwise
    assert list((tmp_path / "mine" / "exemplars").iterdir()) == [place]
    assert first.fingerprint == second.fingerprint
    shutil.rmtree(tmp_path / "mine")
    np.testing.assert_array_equal(second[0].canvas, eager[0].canvas)


def test_a_cache_that_cannot_be_written_says_how_to_name_another(portraits, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONFIGURAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfiguralError, match="CONFIGURAL_CACHE") as caught:
        load(f"fasseg:{portraits}")
    assert "\n" not in str(caught.value)


def test_the_users_own_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("CONFIGURAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store_module.cache_folder().name == "configural"
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert store_module.cache_folder() == tmp_path / "configural"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a home folder is no matter of the account")
def test_a_user_without_a_home_is_asked_for_a_cache_folder(monkeypatch):
    """As `docker run --user 12345` has it: no entry in the list of accounts, and HOME unset."""
    import pwd

    for name in ("CONFIGURAL_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    with pytest.raises(ConfiguralError, match="CONFIGURAL_CACHE"):
        load("fasseg")
    monkeypatch.setenv("CONFIGURAL_CACHE", "~/mine")
    with pytest.raises(ConfiguralError, match="no home folder"):
        store_module.cache_folder()


def test_processes_prepare_the_same_exemplars(portraits, place, tmp_path, monkeypatch):
    alone, skipped = prepare(published("fasseg", portraits), place)
    monkeypatch.setattr(store_module, "_WORTH_WORKERS", 2)
    monkeypatch.setattr(store_module, "processors", lambda: 2)
    together, also_skipped = prepare(published("fasseg", portraits), tmp_path / "others")
    assert [entry.model_dump() for entry in together.entries] == [entry.model_dump() for entry in alone.entries]
    assert also_skipped == skipped
    # Also from a program that would begin again in each of them.
    program = tmp_path / "program.py"
    program.write_text(
        "from pathlib import Path\nfrom configural.portraits import store\n"
        "from configural.portraits.published import published\n"
        "store._WORTH_WORKERS, store.processors = 2, lambda: 2\n"
        f"exemplars, _ = store.prepare(published('fasseg', Path({str(portraits)!r})), Path('again'))\n"
        "print(len(exemplars))\n"
    )
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout == "4\n", done.stderr
    assert {path.name for path in place.iterdir()} == {path.name for path in (tmp_path / "others").iterdir()}
