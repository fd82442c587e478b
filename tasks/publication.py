"""What a run leaves: evidence in the store, and artifacts for those who look at Prefect."""

from io import BytesIO

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from expectations.tables import rules_table
from tasks.detection import Looked, zipped
from tasks.rehearsal import Rehearsed
from tasks.step import step
from upkeep.census import Census
from upkeep.clock import utc_now
from upkeep.documents import put_document, put_in_parts
from upkeep.equipment import Equipment
from upkeep.history import Moment
from upkeep.remembering import record_name
from upkeep.report import RunReport
from upkeep.stores import Store
from upkeep.verdict import Verdict
from upkeep.wording import markdown


def evidence_folder(database: str, run: str) -> str:
    """Where the evidence of a run stands in the store."""
    return f"{database}/evidence/{run}"


@step("keep evidence")
def keep_rehearsal(
    equipment: Equipment, run: str, backup: str, looked: Looked, rehearsed: Rehearsed, census: Census
) -> None:
    """The census, the suites' results, the Data Docs, the plan and the rehearsal's verdict, before anybody is asked."""
    store, name, plan = equipment.store, equipment.settings.database, rehearsed.plan
    folder = evidence_folder(name, run)
    _keep_what_was_seen(store, folder, looked, census)
    _keep_record(equipment, run, backup, looked)
    put_document(store, f"{folder}/rehearsal.json", rehearsed.verdict.document())
    put_in_parts(store, f"{name}/repairs/{run}/plan.json", plan.in_parts() | {"digest": plan.digest})
    create_table_artifact(
        markdown.findings(looked.detected, plan),
        key="findings",
        description="foreign keys with orphans, and what is wrong with each",
    )
    create_table_artifact(markdown.plan_table(plan), key="plan", description=f"plan {plan.digest}")
    _show_verdict(rehearsed.verdict, "the rehearsal: what was checked on the copy")


@step("keep evidence")
def keep_look(equipment: Equipment, run: str, backup: str, looked: Looked, verdict: Verdict, census: Census) -> None:
    """What a run without a restore saw: the census of its backup, the suites' results, the Data Docs, the verdict."""
    store, folder = equipment.store, evidence_folder(equipment.settings.database, run)
    _keep_what_was_seen(store, folder, looked, census)
    _keep_record(equipment, run, backup, looked)
    put_document(store, f"{folder}/look.json", verdict.document())
    create_table_artifact(
        markdown.findings(looked.detected, None),
        key="findings",
        description="foreign keys with orphans, and what is wrong with each",
    )
    _show_verdict(verdict, "the look: what was checked, with no backup proven")


@step("keep evidence")
def keep_verification(equipment: Equipment, run: str, backup: str, looked: Looked) -> None:
    """What was seen after the performance, which the next run begins from."""
    _keep_record(equipment, run, backup, looked, is_after=True)


@step("publish")
def publish(equipment: Equipment, report: RunReport) -> None:
    """The report as evidence, then as artifacts: a summary, and the last verdict.

    Artifacts are views, and anybody can overwrite them; the store holds the evidence.
    """
    folder, summary = evidence_folder(report.database, report.run), markdown.summary(report)
    put_document(equipment.store, f"{folder}/report.json", report.document())
    equipment.store.put(f"{folder}/report.md", BytesIO(f"{summary}\n".encode()))
    create_markdown_artifact(summary, key="summary", description=report.ended)
    create_link_artifact(
        f"{report.store}/{folder}/page.html",
        link_text="the auditor's page of this run",
        key="page",
        description="drawn when the run ends; a browser follows no link to a file or a bucket: copy it",
    )
    if report.verification:
        _show_verdict(report.verification, "the verification: what was checked after the performance")


def _keep_what_was_seen(store: Store, folder: str, looked: Looked, census: Census) -> None:
    if looked.detected.rules:
        create_table_artifact(
            rules_table(looked.detected.rules), key="rules", description="the hand-written rules, what fails first"
        )
    put_document(store, f"{folder}/census.json", census.model_dump(mode="json"))
    put_document(store, f"{folder}/suites.json", looked.results)
    if looked.docs is not None:
        with zipped(looked.docs).open("rb") as pages:
            store.put(f"{folder}/data-docs.zip", pages)


def _keep_record(equipment: Equipment, run: str, backup: str, looked: Looked, *, is_after: bool = False) -> None:
    """What is needed to say at the next look what is new and what is gone."""
    if looked.detected.history is not None:
        moment = Moment(run=run, taken=utc_now(), backup=backup)
        record = looked.detected.history.now.at(moment, is_after=is_after)
        name = record_name(equipment.settings.database, run, is_after=is_after)
        # Without line breaks, which would double what has a line for each orphan.
        equipment.store.put(name, BytesIO(record.model_dump_json().encode()))


def _show_verdict(verdict: Verdict, description: str) -> None:
    create_table_artifact(markdown.verdict_table(verdict), key="verdict", description=description)
