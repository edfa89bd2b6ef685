"""Does this classifier use how parts relate? Probes, and observers with known strategies to check them with."""

from configural.audit.auditing import AuditInterruptedError as AuditInterruptedError
from configural.audit.auditing import audit as audit
from configural.audit.comparison import AuditComparison as AuditComparison
from configural.audit.comparison import compare_audits as compare_audits
from configural.audit.intervals import Bootstrap as Bootstrap
from configural.audit.intervals import Estimate as Estimate
from configural.audit.observers import observers as observers
from configural.audit.probe import Inspection as Inspection
from configural.audit.probe import Material as Material
from configural.audit.probe import Probe as Probe
from configural.audit.probe import Score as Score
from configural.audit.probe import Trials as Trials
from configural.audit.probe import Which as Which
from configural.audit.probes import PROBES as PROBES
from configural.audit.probes import Attribution as Attribution
from configural.audit.probes import BackgroundRemoval as BackgroundRemoval
from configural.audit.probes import Displacement as Displacement
from configural.audit.probes import ForcedChoice as ForcedChoice
from configural.audit.probes import Interactions as Interactions
from configural.audit.probes import Inversion as Inversion
from configural.audit.probes import ReceptiveField as ReceptiveField
from configural.audit.respondents import Observer as Observer
from configural.audit.result import Audit as Audit
from configural.audit.saved import audit_saved as audit_saved
from configural.audit.verdict import headline as headline
from configural.audit.verdict import sentences as sentences
