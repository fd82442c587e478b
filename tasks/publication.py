"""What a run leaves: evidence in the store, and artifacts for those who look at Prefect."""

import json
from io import BytesIO
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.detection import Looked, zipped
from tasks.rehearsal import Rehearsed
from tasks.step import step
from upkeep.census import Census
from upkeep.equipment import Equipment
from upkeep.report import RunReport
from upkeep.stores import Store
from upkeep.wording import markdown


def evidence_folder(database: str, run: str) -> str:
    """Where the evidence of a run stands in the store."""
    return f"{database}/evidence/{run}"


@step("keep evidence")
def keep_rehearsal(equipment: Equipment, run: str, looked: Looked, rehearsed: Rehearsed, census: Census) -> None:
    """The census, the suites' results, the Data Docs, the plan and the rehearsal's verdict, before anybody is asked."""
    store, name, plan = equipment.store, equipment.settings.database, rehearsed.plan
    folder = evidence_folder(name, run)
    put_document(store, f"{folder}/census.json", census.model_dump(mode="json"))
    put_document(store, f"{folder}/suites.json", looked.results)
    put_document(store, f"{folder}/rehearsal.json", rehearsed.verdict.document())
    put_document(store, f"{name}/repairs/{run}/plan.json", plan.document() | {"digest": plan.digest})
    if looked.docs is not None:
        with zipped(looked.docs).open("rb") as pages:
            store.put(f"{folder}/data-docs.zip", pages)


@step("publish")
def publish(equipment: Equipment, report: RunReport) -> None:
    """The report as evidence, then as artifacts: a summary, the findings, the plan, the verdict."""
    folder = evidence_folder(report.database, report.run)
    put_document(equipment.store, f"{folder}/report.json", report.document())
    equipment.store.put(f"{folder}/report.md", BytesIO(markdown.summary(report).encode()))
    show(report)


def show(report: RunReport) -> None:
    """The artifacts. They are views and can be overwritten by anybody; the store holds the evidence."""
    create_markdown_artifact(markdown.summary(report), key="summary", description=report.ended)
    if report.detected:
        table = markdown.findings(report.detected, report.plan)
        create_table_artifact(
            table, key="findings", description="foreign keys with orphans, and what is wrong with each"
        )
    if report.plan:
        create_table_artifact(markdown.plan_table(report.plan), key="plan", description=f"plan {report.plan.digest}")
    if report.verdict:
        create_table_artifact(markdown.verdict_table(report.verdict), key="verdict", description="what was checked")


def put_document(store: Store, name: str, document: Any) -> None:
    """One JSON document under a name."""
    store.put(name, BytesIO(json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"))
