import base64
import hashlib
import importlib
import re
import sys
from html import unescape
from pathlib import Path

import pytest

import configural as cf
from configural.wording import of_side

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "cnn_ffa_15_layers.ipynb"


def stored_notebook():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parameters(notebook):
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    return cell


def printed(notebook, section):
    texts, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            inside = cell.source.startswith(f"## {section}")
        elif inside:
            results = [out for out in cell.outputs if out.get("name") != "stderr"]  # without progress bars
            said = [out.get("data", {}) for out in results]
            texts += [
                str(out.get("text") or data.get("text/html") or data.get("text/plain"))
                for out, data in zip(results, said, strict=True)
            ]
    return unescape("\n".join(texts))


def kinds(notebook):
    """Of each cell's outputs, what they are, without progress bars."""
    shown = [[out for out in cell.outputs if out.get("name") != "stderr"] for cell in code(notebook)]
    preferred = ("image/png", "text/html", "text/plain")
    return [
        [next((kind for kind in preferred if kind in out.get("data", {})), out.output_type) for out in outputs]
        for outputs in shown
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own machinery; the notebook runs in a process of its own
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    from nbclient import NotebookClient

    notebook, stored = stored_notebook(), stored_notebook()
    small = {"SOURCE": "synthetic:4", "IMAGE_SIZE": 32, "COUNT": 60, "PRESET": "quick", "FOLDER": str(tmp_path)}
    small |= {"PAIRS": 4}
    cell = parameters(notebook)
    assert [line.split(" = ")[0] for line in cell.source.splitlines()] == list(small)
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in small.items())
    NotebookClient(notebook, timeout=300).execute()

    assert printed(notebook, "Data").startswith("(50, 2, 8)")
    assert "non-trainable 64" in printed(notebook, "Network")
    assert printed(notebook, "Loading") == "True"
    assert "test loss" in printed(notebook, "Accuracy and loss")
    assert "face_as_no_face" in printed(notebook, "Misclassified images")
    assert {path.name for path in tmp_path.iterdir()} == {"cnn_ffa_15_layers.h5", "cnn_ffa_15_layers.safetensors"}
    assert kinds(notebook) == kinds(stored)  # the stored outputs are still such as come of the cells


def test_the_stored_outputs_are_of_these_cells_and_tell_nothing_of_a_machine():
    notebook = stored_notebook()
    text = "\n".join(cell.source for cell in code(notebook))
    assert notebook.metadata["executed"] == hashlib.sha256(text.encode()).hexdigest(), (
        "a cell was changed: python docs/make_notebook.py stores its outputs anew"
    )
    assert f"moved by {of_side(60)}" in str(notebook), "words have changed: run docs/make_notebook.py"
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    outputs = [out for cell in code(notebook) for out in cell.outputs]
    assert {out.output_type for out in outputs} == {"stream", "execute_result", "display_data"}
    assert {out.name for out in outputs if out.output_type == "stream"} == {"stdout"}
    assert "'synthetic" in parameters(notebook).source.replace('"', "'")  # nobody's face
    assert NOTEBOOK.stat().st_size < 1.5e6
    told = re.sub(r"[A-Za-z0-9+/=]{200,}", "", NOTEBOOK.read_text("utf-8"))  # without images
    for private in (
        r"(?<![\w.<])/(?:home|root|tmp|work|usr|Users|opt|mnt)/",
        r"[A-Z]:\\\\",
        r"0x[0-9a-f]{6}",
        "seconds\\b.*\\d",
    ):
        assert not re.search(private, told), private


def test_the_stored_outputs_are_what_the_package_says_now(painted):
    """What depends neither on the machine nor on the portraits is compared, and the end with its own numbers."""
    notebook = stored_notebook()
    chosen = {}
    exec(parameters(notebook).source, chosen)
    table = cf.stimuli.sample(painted, condition="ffa", count=chosen["COUNT"], seed=42)
    assert printed(notebook, "Data").startswith(
        str(tuple(table.counts()[name] for name in ("train", "valid", "test")))
    )
    summary = cf.models.summarise(cf.models.create("cnn-15", chosen["IMAGE_SIZE"]))
    assert f"total {summary.total:,}, trainable {summary.trainable:,}" in printed(notebook, "Network")
    audit = printed(notebook, "Audit")
    assert audit.startswith("<h4>It reads where the parts lie in the image")
    one, together = re.findall(r"log-odds drop (.*)", printed(notebook, "One part moved"))
    assert f"the log-odds of face drop by {one}, when all move together by {together}" in audit


def test_the_site_shows_the_notebook_with_its_outputs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    generate = importlib.import_module("generate")
    monkeypatch.delitem(sys.modules, "generate")
    notebook = stored_notebook()
    page, images = generate.notebook(notebook, "notebook")
    drawn = [
        out.data["image/png"]
        for cell in code(notebook)
        for out in cell.outputs
        if "image/png" in out.get("data", {})
    ]
    assert list(images.values()) == [base64.b64decode(image) for image in drawn]
    assert re.findall(r"\]\((notebook/\d+\.png)\)", page) == list(images)
    assert page.startswith("# CNN with 15 layers")
    for cell in notebook.cells:
        assert cell.source in page
    assert '<div class="output" tabindex="0"><h4>It reads where the parts lie' in page
    assert "total 1,572,802" in page
    assert "<style" not in page
