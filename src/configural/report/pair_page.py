"""One page that shows what accuracy hides: two networks, both hardly ever wrong, that read different things."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scipy.special import expit

from configural import __version__
from configural.audit import Pair
from configural.audit.pair import AT
from configural.audit.probes.displacement import ALL, ONE
from configural.evaluation import save_figure
from configural.io import files
from configural.io.images import write_png
from configural.report.parts import embedded, write_page
from configural.wording import in_words


@dataclass(frozen=True)
class Member:
    """One of the two, as the page introduces it.

    Attributes:
        accuracy: Of its own test, 0 to 1.
        trained_on: The condition of its images.
        origin: Where its weights come from, as a sentence.
    """

    accuracy: float
    trained_on: str
    origin: str


def pair_sentence(pair: Pair) -> str:
    """What moving parts does to both, in everyday words; nothing stronger than was measured."""
    a, b = pair.scores
    if not pair.mirrored:
        return (
            f"This time moving parts does not clearly divide {a} from {b}; the curves say by how much each of them "
            "minds."
        )
    together, alone = ({name: _percent(pair.lost(name, of)) for name in (a, b)} for of in (ALL, ONE))
    return (
        f"Move all parts of the face together a little, and {a} loses {together[a]} of what it loses when they are "
        f"scrambled, {b} only {together[b]}. Move one part alone, and it is the other way round: {a} loses "
        f"{alone[a]}, {b} {alone[b]}. {a} goes by where the parts are, {b} by how they lie to each other."
    )


def _percent(fraction: float) -> str:
    return "–" if math.isnan(fraction) else f"{100 * fraction:.0f} %".replace("-", "−")


def write_pair_report(pair: Pair, folder: Path | str, *, members: Mapping[str, Member]) -> Path:
    """Write `report.html` and what it shows into a folder; returns the page's path."""
    folder = Path(folder)
    for name, scores in pair.scores.items():
        save_figure(pair.figure(name), folder / "figures" / f"displacement_{name}.png")
        files.write_text(folder / f"displacement_{name}.csv", scores.to_csv(index=False))
    images = []
    for number, one in enumerate(pair.shown):
        write_png(folder / "examples" / f"{number}.png", one.image)
        image = embedded(folder, "examples", f"{number}.png")
        responses = [
            (
                name,
                _percent(pair.of_gap(one, name)),
                _sure(expit(given)),
                in_words({"value": given, "low": math.nan}),
            )
            for name, given in one.log_odds.items()
        ]
        images.append({"caption": one.caption, "image": image, "responses": responses})
    drops = {name: {of: in_words(pair.drop(name, of)) for of in (ONE, ALL)} for name in pair.scores}
    return write_page(
        folder,
        "pair.html.j2",
        sentence=pair_sentence(pair),
        members={name: (f"{100 * one.accuracy:.1f}".removesuffix(".0"), one) for name, one in members.items()},
        indices={name: in_words(pair.index(name), 2) for name in pair.scores},
        drops=drops,
        lost={name: {of: _percent(pair.lost(name, of)) for of in (ONE, ALL)} for name in pair.scores},
        at=AT,
        images=images,
        figures={name: embedded(folder, "figures", f"displacement_{name}.png") for name in pair.scores},
        version=__version__,
    )


def _sure(probability: float) -> str:
    """A probability in whole percent, where only certainty is 0 or 100."""
    return "< 1 %" if probability < 0.005 else "> 99 %" if probability > 0.995 else f"{100 * probability:.0f} %"
