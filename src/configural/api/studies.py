"""Grids of runs, and the published results beside them."""

from configural.api.pages import with_page
from configural.replication import tables
from configural.replication.tables import comparison_text as comparison_text
from configural.study import running
from configural.study.publishing import publish_study as publish_study
from configural.study.running import plan_study as plan_study
from configural.study.status import study_status as study_status

compare = with_page(tables.compare, write_page="write_study_report")
run_study = with_page(running.run_study, write_run_page="write_run_report", write_page="write_study_report")
