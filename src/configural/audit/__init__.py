"""Does this classifier use how parts relate? Probes, reference classifiers with known answers, and adapters."""

from configural.audit.auditing import AuditInterruptedError as AuditInterruptedError
from configural.audit.auditing import audit as audit
from configural.audit.intervals import Bootstrap as Bootstrap
from configural.audit.intervals import Estimate as Estimate
from configural.audit.observers import references as references
from configural.audit.probe import Material as Material
from configural.audit.probe import Probe as Probe
from configural.audit.probe import Score as Score
from configural.audit.probe import Trials as Trials
from configural.audit.probes import PROBES as PROBES
from configural.audit.probes import Attribution as Attribution
from configural.audit.probes import BackgroundRemoval as BackgroundRemoval
from configural.audit.probes import Displacement as Displacement
from configural.audit.probes import ForcedChoice as ForcedChoice
from configural.audit.probes import Interactions as Interactions
from configural.audit.probes import Inversion as Inversion
from configural.audit.probes import ReceptiveField as ReceptiveField
from configural.audit.result import Audit as Audit
from configural.audit.verdict import headline as headline
from configural.audit.verdict import sentences as sentences
from configural.models.classifiers import Differentiable as Differentiable
from configural.models.classifiers import RespondsToImages as RespondsToImages
from configural.models.classifiers import RespondsToStimuli as RespondsToStimuli
