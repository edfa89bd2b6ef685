"""Audits of saved models."""

from configural.api.pages import with_page
from configural.audit import audit_saved
from configural.audit import compare_audits as compare_audits

audit = with_page(audit_saved, write_page="write_audit_report")
