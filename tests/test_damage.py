"""Damaged files: whatever is read from a folder gives a result or one line that says what is wrong, and no crash.

Run as a script, the same with more damages for each kind of folder: `python tests/test_damage.py 500`.
"""

import contextlib
import io
import json
import os
import random
import resource
import shutil
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import transformers
import yaml
from conftest import block_exemplar
from rich.console import Console
from test_hugging_face import saved
from test_label_folder import COLOURS, LABELS, save
from test_models_open import network_of_means
from test_report import a_run, history
from test_study_page import FINISHED

import configural as cf
from configural.api import compare, comparison_text
from configural.audit import BackgroundRemoval, ForcedChoice, audit, compare_audits
from configural.config import run_config
from configural.config.study import StudyPlan
from configural.errors import ConfiguralError, ConfiguralWarning
from configural.export import read, verify, write
from configural.io.manifest import MANIFEST
from configural.objects import object_scheme
from configural.portraits import Library
from configural.replication.published import published_results
from configural.report import write_audit_report, write_evaluation_report, write_run_report, write_study_report
from configural.study import read_plan
from configural.study.display import progress_table
from configural.study.record import StudyRecord
from configural.training import KerasAdam
from configural.training.history import load_checkpoint, read_history, save_checkpoint

COUNT, SIZE, LONGEST = 6, 16, 600
IMAGES = np.zeros((2, SIZE, SIZE, 3), np.uint8)
VALUES = (
    *(None, True, 0, -1, 1, 3, 0.5, -0.0, 1e300, -(10**12), 2**31, 2**63, 10**40, float("nan"), float("inf")),
    *("", "x", "0", "../../x", "/x", "x\ny\x1b[31m", "\ud800", "x" * 5000, "é\u202e", "2023-05-01", "{}", "a:b"),
    *([], {}, [[]], [None], {"": 0}, {"x": {"x": {}}}, ["x"] * 300, [1, 2], [0.5, "x"]),
)


def mutated_value(rng: random.Random, value: Any) -> Any:
    """Something in a tree of plain values is another thing, is gone, is there twice or lies deep."""
    inside = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    if not inside or rng.random() < 0.1:
        if rng.random() < 0.05:
            deep: Any = 1
            for _ in range(rng.choice((50, 150, 2000))):
                deep = [deep] if rng.random() < 0.5 else {"x": deep}
            return deep
        return rng.choice(VALUES)
    key, chosen = rng.choice(inside)
    what = rng.random()
    changed = list(value) if isinstance(value, list) else dict(value)
    if what < 0.15:
        del changed[key]
    elif what < 0.2 and isinstance(changed, list):
        changed.append(chosen)
    elif what < 0.25 and isinstance(changed, dict):
        changed[rng.choice(("x", "", "a\nb", "x" * 2000, "name"))] = rng.choice(VALUES)
    else:
        changed[key] = mutated_value(rng, chosen)
    return changed


def as_json(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b'{"settings":' + b"[" * 5000 + b"]" * 5000 + b"}"


def as_yaml(value: Any) -> bytes:
    try:
        return yaml.safe_dump(value, sort_keys=False).encode("utf-8", "replace")
    except (RecursionError, yaml.YAMLError):
        return b"x: " + b"[" * 3000


def mutated_frame(rng: random.Random, frame: pd.DataFrame) -> pd.DataFrame:
    """A column is gone, new, empty or of other values; or rows are."""
    column = rng.choice(list(frame.columns))
    match rng.randrange(6):
        case 0:
            return frame.drop(columns=column)
        case 1:
            return frame.head(rng.choice((0, 1)))
        case 2:
            return frame.rename(columns={column: rng.choice(("x", "", "probability_../../x", "probability_"))})
        case 3:
            return pd.concat([frame, frame])
        case 4:
            values = frame[column].astype(object).tolist()
            values[rng.randrange(len(values))] = rng.choice(VALUES[:27])
            return frame.assign(**{column: [str(value) for value in values] if rng.random() < 0.5 else values})
    return frame.assign(**{column: rng.choice(VALUES[:27])})


def of_frame(write_frame: Callable[[pd.DataFrame], bytes]) -> Callable[[random.Random, pd.DataFrame], bytes]:
    def written(rng: random.Random, frame: pd.DataFrame) -> bytes:
        while True:
            with contextlib.suppress(pa.ArrowException, ValueError, TypeError, OverflowError):
                return write_frame(mutated_frame(rng, frame))

    return written


def mutated_parquet(rng: random.Random, content: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(content))
    metadata = dict(table.schema.metadata or {})
    out = io.BytesIO()
    if b"configural" in metadata and rng.random() < 0.5:
        metadata[b"configural"] = as_json(mutated_value(rng, json.loads(metadata[b"configural"])))
        pq.write_table(table.replace_schema_metadata(metadata), out)
        return out.getvalue()

    def written(frame: pd.DataFrame) -> bytes:
        out = io.BytesIO()
        own = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(own.replace_schema_metadata(metadata), out)
        return out.getvalue()

    return of_frame(written)(rng, table.to_pandas())


def mutated_csv(rng: random.Random, content: bytes) -> bytes:
    frame = pd.read_csv(io.BytesIO(content))
    return of_frame(lambda one: one.to_csv(index=False).encode("utf-8", "replace"))(rng, frame)


def mutated_safetensors(rng: random.Random, content: bytes) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.get("__metadata__", {})
    if "configural" in metadata and rng.random() < 0.6:
        metadata["configural"] = as_json(mutated_value(rng, json.loads(metadata["configural"]))).decode()
    elif "history" in metadata and rng.random() < 0.6:
        metadata["history"] = as_json(mutated_value(rng, json.loads(metadata["history"]))).decode()
    else:
        header = mutated_value(rng, header)
    written = as_json(header)
    return len(written).to_bytes(8, "little") + written + content[8 + length :]


def mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    at, size = rng.randrange(len(content) or 1), rng.choice((1, 8, 200))
    match rng.randrange(6):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[at + size :]
        case 2:
            return content[: at + size] + content[at:]
        case 3:
            return content[:at] + bytes(size) + content[at + size :]
        case 4:
            return b""
    changed = bytearray(content)
    for _ in range(size if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutated_zip(rng: random.Random, content: bytes) -> bytes:
    """A member of an archive is damaged as its name says."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w") as after:
        chosen = rng.choice(before.namelist())
        for name in before.namelist():
            member = before.read(name)
            after.writestr(name, mutated(rng, name, member) if name == chosen else member)
    return out.getvalue()


def mutated_tar(rng: random.Random, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as before, tarfile.open(fileobj=out, mode="w") as after:
        members = list(before)
        chosen = rng.choice(members)
        for member in members:
            data = before.extractfile(member).read()
            data = mutated(rng, member.name, data) if member is chosen else data
            member.size = len(data)
            after.addfile(member, io.BytesIO(data))
    return out.getvalue()


def mutated_onnx(rng: random.Random, content: bytes) -> bytes:
    """A dimension or type of the input or output, or the numbers; the runtime itself is not on trial."""
    model = onnx.load_from_string(content)
    kind = rng.choice((model.graph.input, model.graph.output))[0].type.tensor_type
    what = rng.randrange(3)
    if what == 0:
        rng.choice(kind.shape.dim).dim_value = rng.choice((0, 1, 2, 3, 7, 10**6, 2**40, -1))
    elif what == 1:
        kind.elem_type = rng.choice((0, 1, 2, 7, 8, 10, 11))
    else:
        numbers = rng.choice(model.graph.initializer)
        values = np.full(tuple(numbers.dims), rng.choice((np.nan, np.inf, -1e30, 0)), np.float32)
        numbers.CopyFrom(onnx.numpy_helper.from_array(values, numbers.name))
    return model.SerializeToString()


def mutated_json(rng: random.Random, content: bytes) -> bytes:
    return as_json(mutated_value(rng, json.loads(content)))


def mutated_yaml(rng: random.Random, content: bytes) -> bytes:
    return as_yaml(mutated_value(rng, yaml.safe_load(content)))


STRUCTURED = {
    ".json": mutated_json,
    ".yaml": mutated_yaml,
    ".csv": mutated_csv,
    ".parquet": mutated_parquet,
    ".safetensors": mutated_safetensors,
    ".onnx": mutated_onnx,
    ".zip": mutated_zip,
    ".keras": mutated_zip,
    ".tar": mutated_tar,
}


def mutated(rng: random.Random, name: str, content: bytes) -> bytes:
    """Damage of a file: mostly one that its format survives, where there is a way to make such."""
    structured = STRUCTURED.get(Path(name).suffix)
    if structured is not None and (structured is mutated_onnx or rng.random() < 0.75):
        return structured(rng, content)
    return mutated_bytes(rng, content)


# What is damaged: by name, what makes a folder, which files are damaged, and what reads it.

PROBES = (ForcedChoice(), BackgroundRemoval(pairs=4))


def make_run(folder: Path, blocks: Library) -> None:
    a_run(folder, epochs=2, image_size=SIZE, count=60)
    cf.stimuli.sample(blocks, condition="ffa", count=60, seed=42).save(folder / "stimuli.parquet")
    cf.models.save_network(cf.models.create("fcn-14", SIZE), folder / "model.safetensors")


def read_run(folder: Path, blocks: Library) -> None:
    run = cf.load_run(folder)
    write_run_report(run)
    cf.models.open(folder).log_odds(IMAGES)
    assert run.network is not None
    assert len(run.table.counts()) == 3


def make_test(folder: Path, blocks: Library) -> None:
    a_run(folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["settings"] = {
        "model": "net",
        "network": "fcn-14",
        "image_size": SIZE,
        "source": "synthetic",
        "seed": 0,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "config.yaml").unlink()


def brightness(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2, 3)) / 255


def make_audit(folder: Path, blocks: Library) -> None:
    audit(brightness, blocks, image_size=SIZE, pairs=4, probes=PROBES, out=folder)


def make_interrupted_audit(folder: Path, blocks: Library) -> None:
    make_audit(folder, blocks)
    content = json.loads((folder / "audit.json").read_text())
    (folder / MANIFEST).unlink()
    (folder / "audit.json").write_text(json.dumps({**content, "interruption": "it was"}))


def resume_audit(folder: Path, blocks: Library) -> None:
    audit(brightness, blocks, image_size=SIZE, pairs=4, probes=PROBES, out=folder, resume=True)


def read_audit(folder: Path, blocks: Library) -> None:
    write_audit_report(folder)
    with tempfile.TemporaryDirectory() as out:
        compare_audits([folder, folder], out)


def make_study(folder: Path, blocks: Library) -> None:
    plan = StudyPlan(networks=("fcn-14",), conditions=("ffa",), seeds=(7,), image_size=224, epochs=2)
    StudyRecord.of(plan, blocks).save(folder)
    run = folder / "runs" / "fcn-14-ffa-1"
    run_config(network="fcn-14", condition="ffa", image_size=224, epochs=2).save(run / "config.yaml")
    history(2).save(run / "history.csv")
    (run / "metrics.json").write_text(json.dumps(FINISHED))
    results = published_results().query("network == 'fcn-14' and train_condition == 'ffa' and repeat == 1")
    columns = ["test_condition", "placement", "images", "loss", "accuracy", "face_as_no_face", "no_face_as_face"]
    results[columns].to_csv(run / "tests.csv", index=False)
    results.assign(seed=7).to_parquet(folder / "results.parquet")
    (folder / "jobs.json").write_text(
        json.dumps({"running": [], "failed": {"x": "the disk is full"}, "details": {}})
    )


def read_study(folder: Path, blocks: Library) -> None:
    Console(file=io.StringIO()).print(progress_table(cf.study_status(folder)))
    assert comparison_text(compare(folder))
    write_study_report(folder)


def maker_of_set(form: str) -> Callable[[Path, Library], None]:
    def make(folder: Path, blocks: Library) -> None:
        table = cf.stimuli.sample(blocks, count=42, seed=1)
        write(table, folder, library=blocks, size=SIZE, masks=True, format=form, shard_size=20)

    return make


def read_set(folder: Path, blocks: Library) -> None:
    with contextlib.suppress(ConfiguralError):
        read(folder, size=SIZE)
    for fault in verify(folder, source=blocks, sample=5).faults:
        assert len(f"{fault.where} {fault.why}".splitlines()) == 1


def make_portraits(folder: Path, blocks: Library) -> None:
    for number in range(2):
        one = block_exemplar(f"anna_{number}", shade=60 + 9 * number)
        save(folder / "photos" / f"{one.name}.png", one.portrait)
        save(folder / "labels" / f"{one.name}.png", COLOURS[one.segmentation])
    (folder / "portraits.yaml").write_text(LABELS + 'person: "^(.+)_"\ntolerance: 2\nobject: own.yaml\n')
    scheme = object_scheme("face").model_dump(mode="json")
    (folder / "own.yaml").write_text(yaml.safe_dump(scheme))


def read_portraits(folder: Path, blocks: Library) -> None:
    assert cf.portraits.load(f"folder:{folder}")[0].portrait.ndim == 3


def make_settings(folder: Path, blocks: Library) -> None:
    folder.mkdir()
    run = {
        "network": "fcn-14",
        "condition": "ffa",
        "epochs": {"fcn-14": 3, "cnn-15": 2},
        "dropout": 0.1,
        "count": 60,
    }
    plan = {**run, "networks": ["fcn-14"], "conditions": ["ffa"], "seeds": [1], "tests": ["middle"]}
    del plan["network"], plan["condition"], plan["epochs"]["cnn-15"]
    shift = {"shift": [[0, 1], [2, 3]], "rotation": [-5, 5], "arrangement": {"part": "nose", "distance": 5}}
    own = {"offsets": {"nose": [1, 2]}, "jitter": 3, "filled": ["nose", "mouth"], "description": "own", **shift}
    scheme = object_scheme("face").model_dump(mode="json")
    for name, values in {"run": run, "plan": plan, "condition": own, "object": scheme}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))


def read_settings(folder: Path, blocks: Library) -> None:
    run_config(config=folder / "run.yaml")
    read_plan(folder / "plan.yaml")
    condition = cf.stimuli.condition(str(folder / "condition.yaml"))
    with contextlib.suppress(ConfiguralError):
        cf.stimuli.sample(blocks, condition=condition, count=42)
    object_scheme(folder / "object.yaml")


def optimised() -> tuple[torch.nn.Module, KerasAdam]:
    network = torch.nn.Linear(2, 2)
    optimizer = KerasAdam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return network, optimizer


def make_checkpoint(folder: Path, blocks: Library) -> None:
    save_checkpoint(folder / "checkpoint.safetensors", *optimised(), history(2))


def read_checkpoint(folder: Path, blocks: Library) -> None:
    with contextlib.suppress(ConfiguralError):
        read_history(folder / "checkpoint.safetensors")
    load_checkpoint(folder / "checkpoint.safetensors", *optimised())


def make_networks(folder: Path, blocks: Library) -> None:
    network = cf.models.create("cnn-13", SIZE)
    cf.models.save_network(network, folder / "net.safetensors")
    cf.models.save_keras(network, folder / "net.h5")
    with zipfile.ZipFile(folder / "net.keras", "w") as archive:
        import h5py

        with h5py.File(folder / "net.h5", "r") as file:
            archive.writestr("config.json", file.attrs["model_config"])
        archive.write(folder / "net.h5", "model.weights.h5")
    onnx.save(network_of_means(True, [None, 3, SIZE, SIZE]), folder / "net.onnx")


def read_networks(folder: Path, blocks: Library) -> None:
    for path in sorted(folder.iterdir()):
        opened = cf.models.open(path)
        opened.describe()
        opened.log_odds(IMAGES)


def make_transformers(folder: Path, blocks: Library) -> None:
    saved(folder, transformers.ViTImageProcessorPil(size={"height": SIZE, "width": SIZE}))


def read_transformers(folder: Path, blocks: Library) -> None:
    cf.models.open(folder).log_odds(IMAGES)


SUBJECTS: dict[str, tuple[Callable, str, Callable]] = {
    "run": (make_run, "**/*", read_run),
    "test": (make_test, "**/*", lambda folder, blocks: write_evaluation_report(folder)),
    "audit": (make_audit, "**/*", read_audit),
    "interrupted audit": (make_interrupted_audit, "**/*", resume_audit),
    "study": (make_study, "**/*", read_study),
    **{form: (maker_of_set(form), "**/*", read_set) for form in ("imagefolder", "coco", "parquet", "webdataset")},
    "portraits": (make_portraits, "**/*", read_portraits),
    "settings": (make_settings, "*", read_settings),
    "checkpoint": (make_checkpoint, "*", read_checkpoint),
    "networks": (make_networks, "*", read_networks),
    "transformers": (make_transformers, "*", read_transformers),
}


def damage(subject: str, folder: Path, blocks: Library, count: int, first: int = 0) -> list[str]:
    """Damage one file after the other, each time a copy of the whole folder, and read it; what went wrong."""
    make, pattern, use = SUBJECTS[subject]
    make(folder / "whole", blocks)
    use(shutil.copytree(folder / "whole", folder / "copy"), blocks)  # which must work
    paths = sorted(
        path.relative_to(folder / "whole") for path in (folder / "whole").glob(pattern) if path.is_file()
    )
    # Files of one kind in one folder are alike: each kind is damaged as often as any other.
    kinds: dict[Any, list[Path]] = {}
    for path in paths:
        kinds.setdefault((path.parent, path.suffix) if len(paths) > 20 else path, []).append(path)
    wrong = []
    for number in range(first, first + count):
        rng = random.Random(f"{subject} {number}")
        path = rng.choice(kinds[rng.choice(list(kinds))])
        shutil.rmtree(folder / "copy")
        shutil.copytree(folder / "whole", folder / "copy")
        if rng.random() < 0.9:  # else the list of digests tells of nearly everything
            (folder / "copy" / MANIFEST).unlink(missing_ok=True)
        (folder / "copy" / path).write_bytes(mutated(rng, path.name, (folder / "whole" / path).read_bytes()))
        said: list[str] = []
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", ConfiguralWarning)
                use(folder / "copy", blocks)
            said = [str(one.message) for one in warned if issubclass(one.category, ConfiguralWarning)]
        except ConfiguralError as error:
            said = [str(error)]
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)
            ours = [f"{Path(at.filename).name}:{at.lineno}" for at in where if "configural/" in at.filename]
            wrong.append(
                f"{subject} {number}: {path}: {type(error).__name__} at {' '.join(ours[-3:])}: {error!s:.150}"
            )
        wrong += [
            f"{subject} {number}: {path}: says {len(line)} characters: {line[:400]!r}"
            for line in said
            if not line.isprintable() or len(line) > LONGEST
        ]
    return wrong


@pytest.mark.parametrize("subject", SUBJECTS)
def test_damaged_files_end_in_one_line(subject, blocks, tmp_path):
    with cf.progress.hidden():
        assert damage(subject, tmp_path, blocks, COUNT) == []


def main() -> None:
    count, first, *only = (*map(int, sys.argv[1:3]), *sys.argv[3:])
    resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))
    blocks = Library(
        "blocks",
        [block_exemplar(f"block/{n}", cols=90 + 2 * n, shade=60 + 9 * n, person=f"p{n}") for n in range(12)],
    )
    total = 0
    for subject in only or SUBJECTS:
        with tempfile.TemporaryDirectory() as folder, cf.progress.hidden():
            os.environ["CONFIGURAL_CACHE"] = f"{folder}/cache"
            for line in (wrong := damage(subject, Path(folder), blocks, count, first)):
                print(line, flush=True)
            total += len(wrong)
            print(f"{subject}: {len(wrong)} of {count} ({time.process_time():.1f} s so far)", flush=True)
    print(f"{total} of {count * len(only or SUBJECTS):,}")


if __name__ == "__main__":
    main()
