"""One page that shows what accuracy hides: two networks, both hardly ever wrong, that read different things."""

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
from configural.wording import in_words, percent


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
    lost = "no longer sees one" if pair.moved[a][ALL] < 0.5 else "is much less sure of it"
    kept = "still does" if pair.moved[b][ALL] > 0.5 else "is less sure, too"
    return (
        f"Move the whole face a little, and {a} {lost}, while {b} {kept}; move only one part, and it is {b} that "
        f"minds more. {a} goes by where things are, {b} by how they lie to each other."
    )


def write_pair_report(pair: Pair, folder: Path, *, members: Mapping[str, Member]) -> Path:
    """Write `report.html` and what it shows into a folder; returns the page's path."""
    save_figure(pair.figure(), folder / "figures" / "displacement.png")
    for name, scores in pair.scores.items():
        files.write_text(folder / f"displacement_{name}.csv", scores.to_csv(index=False))
    images = []
    for number, one in enumerate(pair.shown):
        write_png(folder / "examples" / f"{number}.png", one.image)
        images.append(
            {
                "caption": one.caption,
                "image": embedded(folder, "examples", f"{number}.png"),
                "responses": [
                    (name, f"{100 * expit(given):.0f}", _nats(given), _lost(pair.shown[0].log_odds[name] - given))
                    for name, given in one.log_odds.items()
                ],
            }
        )
    drops = {name: {of: _drop(pair, name, of) for of in (ONE, ALL)} for name in pair.scores}
    return write_page(
        folder,
        "pair.html.j2",
        sentence=pair_sentence(pair),
        members={name: (percent(one.accuracy), one) for name, one in members.items()},
        indices={name: in_words(pair.index(name), 2) for name in pair.scores},
        drops=drops,
        at=AT,
        images=images,
        figure=embedded(folder, "figures", "displacement.png"),
        version=__version__,
    )


def _nats(value: float) -> str:
    return in_words({"value": value, "low": float("nan")})


def _lost(drop: float) -> str:
    return "" if drop == 0 else f", {_nats(abs(drop))} {'less' if drop > 0 else 'more'}"


def _drop(pair: Pair, name: str, of: str) -> str:
    scores = pair.scores[name]
    row = scores[(scores["score"] == "drop") & (scores["of"] == of) & (scores["at"] == AT)].iloc[0]
    return in_words(row.to_dict())
