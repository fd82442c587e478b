"""What a person does after a run, with the words to type."""

from upkeep.report import RunReport


def next_step(report: RunReport) -> str:
    """What a person does after this run, with the words to type where there are some."""
    plan = report.plan
    if report.performed and report.passed:
        return f"nothing; every changed row stands in the store below {report.database}/repairs/{report.run}"
    if report.stopped:
        return (
            "correct what does not hold, then run it again: it goes on from where it stopped; every changed row stands "
            f"in {report.database}/repairs/{report.run}"
        )
    if report.performed:
        return f"look at what does not hold; every changed row stands in {report.database}/repairs/{report.run}"
    if plan is None:
        return _after_a_look(report)
    if not report.passed and plan.undo and plan.undo.conflicts and not report.only_possible:
        return (
            f"look at these rows; `{undoing(report.undoes, only_possible=True)}` leaves them as they are and puts the "
            "others back; the database was not changed"
        )
    if not report.passed:
        return "correct what does not hold, then run it again; the database was not changed"
    if not plan.is_empty:
        return (
            _without_its_migration(report)
            if report.unmigratable
            else f"read the plan, {_plan_of(report)}; `{approving(report)}` does it"
        )
    return "nothing; the orphans that are kept stand in the report with their reasons" if plan.kept else "nothing"


def _plan_of(report: RunReport) -> str:
    """Where the plan stands, as a person reaches it: a file's path, or the address of an object in a bucket."""
    return f"{(report.store or '').removeprefix('file://')}/{report.database}/repairs/{report.run}/plan.json"


def _after_a_look(report: RunReport) -> str:
    if not report.passed and report.look:
        return "correct what does not hold, then run it again; the database was not changed"
    if report.detected and report.detected.troubled:
        return "`upkeep maintain --perform ask` restores the backup and rehearses the repair"
    return f"nothing; `upkeep verify {report.backup}` proves the backup" if report.unproven else "nothing"


def _without_its_migration(report: RunReport) -> str:
    """What is left to do where a plan can only be rehearsed."""
    rows = "rehearse the rows alone with `upkeep maintain --no-migrate` and approve that plan; then "
    return (
        f"{report.unmigratable}; {rows if report.plan and report.plan.repairs else ''}"
        "run `upkeep backup`, and Alembic in a maintenance window"
    )


def approving(report: RunReport) -> str:
    """The command that approves the plan of a run."""
    digest = report.plan.digest[:12] if report.plan else "DIGEST"
    if report.undoes:
        said = undoing(report.undoes, only_possible=report.only_possible)
        return f"{said} --approve {digest} --by NAME --reason TEXT"
    command = "migrate" if not report.clean_up else "maintain" if report.migrate else "maintain --no-migrate"
    return f"upkeep {command} --perform ask --approve {digest} --by NAME --reason TEXT"


def undoing(run: str, *, only_possible: bool) -> str:
    """The command that undoes a run."""
    return f"upkeep undo {run}{' --only-possible' if only_possible else ''}"
