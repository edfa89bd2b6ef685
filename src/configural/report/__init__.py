"""Pages about runs, tests and audits, made from their folders."""

from configural.report.audit_page import write_audit_report as write_audit_report
from configural.report.page import write_evaluation_report as write_evaluation_report
from configural.report.page import write_run_report as write_run_report
from configural.report.study_page import write_study_report as write_study_report
