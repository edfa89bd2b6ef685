"""The probes of an audit, each one question with its stimuli, scores, figure and how to read it."""

from configural.audit.probe import Probe
from configural.audit.probes.anagrams import Anagrams as Anagrams
from configural.audit.probes.attribution import Attribution as Attribution
from configural.audit.probes.background_removal import BackgroundRemoval as BackgroundRemoval
from configural.audit.probes.composite import Composite as Composite
from configural.audit.probes.consistency import Consistency as Consistency
from configural.audit.probes.displacement import Displacement as Displacement
from configural.audit.probes.factorial import Factorial as Factorial
from configural.audit.probes.forced_choice import ForcedChoice as ForcedChoice
from configural.audit.probes.interactions import Interactions as Interactions
from configural.audit.probes.inversion import Inversion as Inversion
from configural.audit.probes.part_whole import PartWhole as PartWhole
from configural.audit.probes.receptive_field import ReceptiveField as ReceptiveField
from configural.audit.probes.scrambling import Scrambling as Scrambling
from configural.audit.probes.spatial_relations import SpatialRelations as SpatialRelations
from configural.errors import ConfiguralError
from configural.registry import Registry, made_by

PROBES: Registry[Probe] = Registry("probe", "configural.probes", Probe)
"""All probes by name, in the order in which they are asked."""

for _probe in (
    ForcedChoice(),
    Consistency(),
    Factorial(),
    SpatialRelations(),
    Displacement(),
    Anagrams(),
    Scrambling(),
    PartWhole(),
    Composite(),
    BackgroundRemoval(),
    Inversion(),
    Interactions(),
    ReceptiveField(),
    Attribution(),
):
    PROBES[_probe.name] = _probe
PROBES.seal()


def find_probe(probe: str | Probe | type[Probe]) -> Probe:
    """The probe of that name; a probe is returned as it is, of a class one with its defaults.

    Raises:
        ConfiguralError: If there is none, or it is no probe.
    """
    found = PROBES.find(probe) if isinstance(probe, str) else probe
    made = made_by(found, f"probe '{found.__name__}'") if isinstance(found, type) else found
    if not isinstance(made, Probe):
        raise ConfiguralError(
            f"{probe}: a {type(made).__name__} is no probe; derive it from configural.audit.Probe"
        )
    for said in ("name", "title", "question"):
        if not isinstance(getattr(made, said, None), str):
            raise ConfiguralError(f"probe {type(made).__name__}: it has no {said}; say it in the class")
    if not made.name.isidentifier():
        raise ConfiguralError(
            f"probe '{made.name}': its name must be letters, digits and underscores, for it names files"
        )
    return made
