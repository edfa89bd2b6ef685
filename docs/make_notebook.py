"""Runs the notebook in examples/ and stores its outputs in it; docs/generate.py shows them on the site.

python docs/make_notebook.py
"""

import hashlib
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "cnn_ffa_15_layers.ipynb"


def main() -> None:
    """Run it from top to bottom in an empty folder.

    Bars of progress are not kept, nor the plain words of what shows itself as HTML.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=3600, record_timing=False, resources=where).execute()
    for cell in code:
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            if "text/html" in output.get("data", {}):
                del output.data["text/plain"]
    # A test compares it, so that nobody changes a cell and keeps the outputs of before.
    text = "\n".join(cell.source for cell in code)
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
        "executed": hashlib.sha256(text.encode()).hexdigest(),
    }
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
