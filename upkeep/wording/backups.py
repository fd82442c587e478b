"""What is said of backups: one that was taken, those that there are, which go and why."""

from upkeep.manifests import Backup, Manifest
from upkeep.numbers import several
from upkeep.pruning import Pruning
from upkeep.wording.lines import folded
from upkeep.wording.sentences import encrypted_to


def taken(manifest: Manifest) -> str:
    """What ``upkeep backup`` says."""
    return (
        f"backup {manifest.id}: {manifest.census.rows:,} rows, {manifest.stored_bytes:,} bytes stored, "
        f"{encrypted_to(manifest.sealed.recipients if manifest.sealed else ())}\n"
        f"next: `upkeep verify {manifest.id}` proves it"
    )


def not_compared(what: tuple[str, ...]) -> list[str]:
    """What a proof does not prove, folded; [] where it proves all."""
    return folded("not compared: ", "; ".join(what)) if what else []


def backups(listed: tuple[Backup, ...], database: str, place: str) -> str:
    """One line for each backup, newest last; where there is none, where it was looked for."""
    lines = []
    for backup in listed:
        if backup.manifest is None:
            lines.append(f"{backup.id}  cannot be used: {backup.fault}")
            continue
        manifest = backup.manifest
        revision = ", ".join(manifest.census.revision) or "no revision"
        proven = ("verified" if backup.verified else "not verified") + (", encrypted" if manifest.sealed else "")
        sizes = f"{manifest.stored_bytes:>15,} bytes  {manifest.census.rows:>12,} rows"
        lines.append(f"{backup.id}  {sizes}  {revision}  {proven}")
    return "\n".join(lines) or f"no backups of {database} in {place}; `upkeep backup` takes one"


def retention(pruning: Pruning, *, done: bool) -> str:
    """One line for each backup: kept or removed, and why."""
    lines = [f"{'keep  ' if one.kept else 'remove'}  {one.id}  {one.reason}" for one in pruning.judged]
    lines += [f"remove  {backup}  left half stored by a run that died" for backup in pruning.unfinished]
    if not lines:
        return "no backups"
    if pruning.going and not done:
        return "\n".join([*lines, "nothing was removed; `upkeep prune --yes` removes"])
    return "\n".join([*lines, f"{several(len(pruning.going), 'backup')} removed" if done else "nothing to remove"])
