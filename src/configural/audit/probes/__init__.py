"""The probes of an audit, each one question."""

from configural.audit.probe import Probe
from configural.audit.probes.attribution import Attribution as Attribution
from configural.audit.probes.context import Context as Context
from configural.audit.probes.displacement import Displacement as Displacement
from configural.audit.probes.interactions import Interactions as Interactions
from configural.audit.probes.inversion import Inversion as Inversion
from configural.audit.probes.paired_choice import PairedChoice as PairedChoice
from configural.audit.probes.reach import Reach as Reach

PROBES: tuple[Probe, ...] = (
    PairedChoice(),
    Displacement(),
    Context(),
    Inversion(),
    Interactions(),
    Reach(),
    Attribution(),
)
"""All probes as they are asked unless told otherwise."""
