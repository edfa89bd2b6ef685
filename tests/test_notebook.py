from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "cnn_ffa_15_layers.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own machinery; the notebook runs in a process of its own
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert len(parameters) == 1
    small = {"SOURCE": "synthetic:4", "IMAGE_SIZE": 32, "COUNT": 200, "PRESET": "quick", "FOLDER": str(tmp_path)}
    assert [line.split(" = ")[0] for line in parameters[0].source.splitlines()] == list(small)
    parameters[0].source = "\n".join(f"{name} = {value!r}" for name, value in small.items())
    NotebookClient(notebook, timeout=300).execute()

    def printed(section: str) -> str:
        texts, inside = [], False
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                inside = cell.source.startswith(f"## {section}")
            elif inside:
                results = [out for out in cell.outputs if out.get("name") != "stderr"]  # without progress bars
                texts += [str(out.get("text") or out.get("data", {}).get("text/plain")) for out in results]
        return "\n".join(texts)

    assert printed("Data").startswith("(162, 8, 30)")
    assert "non-trainable 64" in printed("Network")
    assert printed("Loading") == "True"
    assert "test loss" in printed("Accuracy and loss")
    assert "face_as_no_face" in printed("Misclassified images")
    assert {path.name for path in tmp_path.iterdir()} == {"cnn_ffa_15_layers.h5", "cnn_ffa_15_layers.safetensors"}
    images = sum("image/png" in out.get("data", {}) for c in notebook.cells for out in c.get("outputs", []))
    assert images == 4


def test_the_notebook_is_stored_without_results():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
