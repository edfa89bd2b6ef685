"""The probes of an audit, each one question."""

from configural.audit.probe import Probe
from configural.audit.probes.attribution import Attribution as Attribution
from configural.audit.probes.background_removal import BackgroundRemoval as BackgroundRemoval
from configural.audit.probes.displacement import Displacement as Displacement
from configural.audit.probes.forced_choice import ForcedChoice as ForcedChoice
from configural.audit.probes.interactions import Interactions as Interactions
from configural.audit.probes.inversion import Inversion as Inversion
from configural.audit.probes.receptive_field import ReceptiveField as ReceptiveField

PROBES: tuple[Probe, ...] = (
    ForcedChoice(),
    Displacement(),
    BackgroundRemoval(),
    Inversion(),
    Interactions(),
    ReceptiveField(),
    Attribution(),
)
"""All probes as they are asked unless told otherwise."""
