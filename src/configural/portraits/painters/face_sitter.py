"""Who is drawn: the measures and colours of a synthetic face."""

from dataclasses import dataclass

import numpy as np

from configural.portraits.painters.brush import Colour, Rng, linear, palette

# Human skin from light to dark, and hair, as 8-bit sRGB.
_SKIN = palette("eac6ae e0b496 ce9e7e b07e5e 865c44 50362b")
_HAIR = palette("181414 2e2019 523826 6a3e28 98542e 8a684a c09a6e 928e8a c4c1bc")
# How often each hair colour comes with light, middle and dark skin.
_HAIR_ODDS = (
    (0.10, 0.15, 0.20, 0.14, 0.10, 0.11, 0.12, 0.05, 0.03),
    (0.30, 0.35, 0.15, 0.08, 0, 0.03, 0.02, 0.05, 0.02),
    (0.72, 0.22, 0.02, 0, 0, 0, 0, 0.03, 0.01),
)
_STYLES = ("crop", "buzz", "bald", "curly", "parted", "back", "fringe")
_STYLE_ODDS = {True: (0.50, 0.12, 0.12, 0.10, 0.06, 0.10, 0), False: (0.08, 0, 0, 0.10, 0.40, 0.22, 0.20)}


@dataclass(frozen=True)
class Sitter:
    """Who is drawn: the measures of one head in pixels of a 512-row image, and its colours."""

    cols: int  # width of the image
    axis: float  # column of the face's midline
    crown: float  # row of the top of the hair
    hairline: float  # row where the forehead begins
    brow: float  # row of the brows
    eye: float  # row of the eyes' centres
    eye_gap: float  # half the distance between the eyes' centres
    nose: float  # row of the nose's base
    mouth: float  # row of the line between the lips
    chin: float  # row of the chin's end
    width: float  # half the width of the face at the cheekbones
    jaw: float  # width of the jaw as a fraction of `width`
    tip: float  # width of the chin as a fraction of `width`
    manly: float  # 0 to 1; brows, jaw, stubble and lips follow it
    tone: float  # skin tone, 0 the lightest, 1 the darkest
    skin: Colour  # albedo of the skin, linear RGB
    hair: Colour  # albedo of the hair, linear RGB
    style: str  # how the hair is worn

    @classmethod
    def draw(cls, rng: Rng, tone: float) -> "Sitter":
        """Draw a sitter of a skin tone; measures follow those of frontal identity photographs."""
        cols = int(np.clip(round(rng.normal(374, 13)), 354, 408))
        manly = float(rng.beta(0.7, 0.7))
        place = tone * (len(_SKIN) - 1)
        skin = linear(np.array([np.interp(place, range(len(_SKIN)), channel) for channel in _SKIN.T]))
        skin *= 1 + rng.normal(0, 1, 3) * (0.022, 0.013, 0.04)
        kind = int(np.digitize(tone + rng.normal(0, 0.15), (0.35, 0.6)))
        hair = linear(_HAIR[rng.choice(len(_HAIR), p=_HAIR_ODDS[kind])]) * (1 + rng.normal(0, 0.08))
        eye = rng.normal(254, 4)
        nose = float(np.clip(rng.normal(336, 4), 328, 342))
        return cls(
            cols=cols,
            axis=float(cols / 2 + np.clip(rng.normal(4, 4), -6, 13)),
            crown=rng.uniform(2, 26),
            hairline=float(np.clip(rng.normal(98, 12), 74, 122)),
            brow=eye - rng.normal(37, 2.5) + 2 * (manly - 0.5),
            eye=eye,
            eye_gap=float(np.clip(rng.normal(65.5, 3.2), 59, 73)),
            nose=nose,
            mouth=float(np.clip(rng.normal(380, 3), nose + 41, 384)),
            chin=float(np.clip(rng.normal(466 + 4 * (manly - 0.5), 6), 452, 480)),
            width=float(np.clip(rng.normal(132 + 5 * manly, 6), 120, min(150, cols / 2 - 34))),
            jaw=0.79 + 0.09 * manly + float(np.clip(rng.normal(0, 0.028), -0.06, 0.06)),
            tip=0.335 + 0.085 * manly + float(np.clip(rng.normal(0, 0.025), -0.05, 0.05)),
            manly=manly,
            tone=tone,
            skin=tuple(skin.tolist()),
            hair=tuple(hair.tolist()),
            style=str(rng.choice(_STYLES, p=_STYLE_ODDS[manly > 0.5])),
        )
