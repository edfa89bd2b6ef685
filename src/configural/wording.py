"""How numbers are written: in pages, tables, messages and figures the same."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PATH = re.compile(r"(?<![^:=,+\s])(?:[A-Za-z]:)?[/\\](?:[^/\\:+]*[/\\])*([^/\\:+]*)")
"""A full path, with its last name."""

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
"""Small numbers as words."""


def without_folders(text: str) -> str:
    """A setting that may name a file, as others may see it: of each full path the last name alone.

    Example:
        >>> without_folders("fasseg:/home/ada/portraits/V2"), without_folders("runs/demo")
        ('fasseg:V2', 'runs/demo')
    """
    return _PATH.sub(r"\1", text)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def of_side(distance: float | None) -> str:
    """A distance that parts are moved by, as a fraction of the image's side: of the longer side of the portrait.

    Example:
        >>> of_side(60)
        '60/512 of the side'
    """
    return f"{distance:g}/512 of the side"


def percent(fraction: float) -> str:
    """A fraction from 0 to 1 in percent with two decimals, where only all is `100` and only nothing is `0`.

    Example:
        >>> percent(0.98766), percent(1), percent(0.99999)
        ('98.77', '100', '> 99.99')
    """
    if fraction in (0, 1):
        return f"{100 * fraction:.0f}"
    text = f"{100 * fraction:.2f}"
    return {"0.00": "< 0.01", "100.00": "> 99.99"}.get(text, text)


def points(difference: float, *, sign: bool = False) -> str:
    """A difference of fractions in percentage points with two decimals, never −0.00; – if it is missing.

    Example:
        >>> points(-0.0321), points(0.05, sign=True), points(float("nan"))
        ('−3.21', '+5.00', '–')
    """
    if math.isnan(difference):
        return "–"
    rounded = round(100 * difference, 2) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.2f}".replace("-", "−")


def probability(value: float) -> str:
    """A probability with four decimals, never rounded to a certainty.

    Example:
        >>> probability(0.5), probability(0.99999)
        ('0.5000', '> 0.9999')
    """
    text = f"{value:.4f}"
    return {"0.0000": "< 0.0001", "1.0000": "> 0.9999"}.get(text, text)


def p_value(p: float) -> str:
    """A p-value with three decimals, never 0; nothing if it is not known.

    Example:
        >>> p_value(0.04), p_value(1e-9), p_value(float("nan"))
        ('0.040', '< 0.001', '')
    """
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def three_digits(value: float) -> str:
    """A measured figure without more digits than measuring can give.

    Example:
        >>> three_digits(12345.6), three_digits(0.98765)
        ('12,346', '0.988')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A measured span of time.

    Example:
        >>> duration(12.34), duration(437), duration(7260)
        ('12.3 s', '7 min 17 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def about(seconds: float) -> str:
    """An estimated span of time, in round numbers.

    Example:
        >>> about(12.34), about(437), about(7260)
        ('12 s', '7 min', '2.0 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def in_words(score: Mapping[str, Any], decimals: int = 1) -> str:
    """A score with its interval: its `value`, `low`, and unless that is nan, `high`, with so many decimals each.

    Example:
        >>> in_words({"value": 0.68, "low": -0.001, "high": 0.71}, 2)
        '0.68 [0.00, 0.71]'
    """
    if math.isnan(score["value"]):
        return "undefined"

    def number(value: float) -> str:
        text = f"{value:.{decimals}f}"
        # No number below zero is shown as −0.0.
        return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")

    if math.isnan(score["low"]):
        return number(score["value"])
    return f"{number(score['value'])} [{number(score['low'])}, {number(score['high'])}]"


def in_percent(score: Mapping[str, Any]) -> str:
    """A score from 0 to 1, as `in_words` takes it, with its interval rounded outwards, which never lacks its value.

    Example:
        >>> in_percent({"value": 0.93, "low": 0.9013, "high": 0.9535})
        '93 % [90.1, 95.4]'
    """
    if math.isnan(score["value"]):
        return "undefined"
    # Less what is no more than floating point.
    value, low, high = (round(100 * score[name], 9) for name in ("value", "low", "high"))

    def number(percents: float) -> str:
        return f"{percents + 0.0:.1f}".removesuffix(".0")  # −0.0 + 0.0 is 0.0

    short = number(value)
    if short == "100" and value < 100:
        short = "> 99.9"
    if short == "0" and value > 0:
        short = "< 0.1"
    if math.isnan(low):
        return f"{short} %"
    low, high = math.floor(round(10 * low, 6)) / 10, math.ceil(round(10 * high, 6)) / 10
    return f"{short} % [{number(low)}, {number(high)}]"
