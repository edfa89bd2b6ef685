"""The effect on one page: a network trained here beside one that comes with the package."""

from collections.abc import Callable
from pathlib import Path

from configural import models, report
from configural.api.runs import run
from configural.audit import compare_pair
from configural.explorer.small import shipped
from configural.portraits import load


def demo(out: Path | str = "runs/demo", *, say: Callable[[str], object] = print) -> Path:
    """Train a network on painted faces, and put it beside another that is as accurate and reads something else.

    The second comes with the package: it took longer to train, and began with the weights of a network like the
    first.

    Args:
        out: The run folder. A run that is there is resumed, or only read if it is finished. The page is in a folder
            beside it, called `OUT-pair`.
        say: Gets the result in everyday words.

    Returns:
        The page.

    Raises:
        ConfiguralError: If `out` holds something else.
    """
    folder = Path(out)
    library = load("synthetic")
    trained = run(source=library, condition="baseline", preset="quick", out=folder, resume=True)
    _, other = shipped()
    networks = {"A": models.open(trained.folder), "B": models.open(other.network)}
    sizes = {"A": trained.settings.image_size, "B": other.image_size}
    pair = compare_pair(networks, library, condition="baseline", image_sizes=sizes)
    members = {
        "A": report.Member(
            trained.metrics["test_accuracy"],
            "baseline",
            "All its parts lay at their usual positions. The run of this demo, from random initial weights.",
        ),
        "B": report.Member(
            other.accuracy or 0.0,
            other.trained_on,
            "The parts lay together anywhere on the canvas. It comes with the package and was not trained here, "
            "for that takes longer: it began with the weights of a network like A.",
        ),
    }
    say(f"A, trained here: {100 * members['A'].accuracy:.1f} % of its test images correct")
    say(f"B, which comes with the package: {100 * members['B'].accuracy:.1f} %")
    say(report.pair_sentence(pair))
    return report.write_pair_report(pair, folder.with_name(folder.name + "-pair"), members=members)
