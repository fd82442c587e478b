"""What the commands for backups print with ``--json``."""

from typing import Any

from upkeep.manifests import Backup
from upkeep.pruning import Pruning


def backup_document(backup: Backup) -> dict[str, Any]:
    """One backup: what its manifest says, all None where that cannot be used, and then the ``fault``."""
    manifest = backup.manifest
    return {
        "id": backup.id,
        "taken": manifest.taken.isoformat() if manifest else None,
        "revision": list(manifest.census.revision) if manifest else None,
        "rows": manifest.census.rows if manifest else None,
        "bytes": manifest.stored_bytes if manifest else None,
        "encrypted_to": list(manifest.sealed.recipients) if manifest and manifest.sealed else [],
        "verified": backup.verified,
        "fault": backup.fault,
    }


def pruning_document(pruning: Pruning, *, done: bool) -> dict[str, Any]:
    """What retention keeps with its reasons, what it would remove, and what was removed."""
    return {
        "kept": [
            {"id": one.id, "verified": one.verified, "reasons": [one.reason]} for one in pruning.judged if one.kept
        ],
        "would_remove": [{"id": one.id, "reasons": [one.reason]} for one in pruning.judged if not one.kept]
        + [{"id": backup, "reasons": ["left half stored by a run that died"]} for backup in pruning.unfinished],
        "removed": list(pruning.going) if done else [],
    }
