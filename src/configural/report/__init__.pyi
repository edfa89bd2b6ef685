from .audit_page import write_audit_report as write_audit_report
from .comparison_page import write_comparison_report as write_comparison_report
from .index_page import write_index as write_index
from .page import write_evaluation_report as write_evaluation_report
from .page import write_run_report as write_run_report
from .study_page import write_study_report as write_study_report
