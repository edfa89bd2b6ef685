"""Audits of saved models."""

from pathlib import Path

from configural import audit as audits
from configural.api.pages import with_page
from configural.audit import Audit, Plan, audit_saved, plan
from configural.audit import publish as publish

audit = with_page(audit_saved, write_page="write_audit_report")
compare_audits = with_page(audits.compare_audits, write_page="write_comparison_report")


def plan_audit(
    width: float, *, fraction: float = 0.9, correlation: float = 0.1, pilot: Path | str | None = None
) -> Plan:
    """How many exemplars and pairs an interval of a wished width needs: `audit.plan` with a pilot's folder."""
    loaded = None if pilot is None else Audit.load(pilot)
    return plan(width, fraction=fraction, correlation=correlation, pilot=loaded)
