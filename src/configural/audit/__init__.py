"""Does this classifier use how parts relate? Probes, reference classifiers with known answers, and adapters."""

from configural.audit import adapters as adapters
from configural.audit.auditing import AuditBrokenError as AuditBrokenError
from configural.audit.auditing import audit as audit
from configural.audit.intervals import Bootstrap as Bootstrap
from configural.audit.intervals import Estimate as Estimate
from configural.audit.probe import Material as Material
from configural.audit.probe import Probe as Probe
from configural.audit.probe import Score as Score
from configural.audit.probe import Trials as Trials
from configural.audit.probes import PROBES as PROBES
from configural.audit.probes import Attribution as Attribution
from configural.audit.probes import Context as Context
from configural.audit.probes import Displacement as Displacement
from configural.audit.probes import Interactions as Interactions
from configural.audit.probes import Inversion as Inversion
from configural.audit.probes import PairedChoice as PairedChoice
from configural.audit.probes import Reach as Reach
from configural.audit.reference import references as references
from configural.audit.result import Audit as Audit
from configural.audit.subjects import AnswersPictures as AnswersPictures
from configural.audit.subjects import AnswersStimuli as AnswersStimuli
from configural.audit.subjects import Differentiable as Differentiable
from configural.audit.verdict import headline as headline
from configural.audit.verdict import sentences as sentences
