"""Refusing to store in plain what was encrypted until now."""

from pydantic import ValidationError

from upkeep.encryption import Keyring
from upkeep.errors import Refused
from upkeep.manifests import Manifest, folder
from upkeep.stores import Store


def refuse_downgrade(store: Store, database: str, keyring: Keyring) -> None:
    """Raise Refused where the newest backup is encrypted and the next would not be, unless that is said in words.

    A line that was lost from the settings would else lay every row open, and nothing would fail.
    """
    if keyring.sealed or keyring.is_plain_on_purpose:
        return
    manifests = (entry.name for entry in store.list(folder(database)) if entry.name.endswith("/manifest.json"))
    newest = max(manifests, default=None)  # their names begin with the time
    if newest is None:
        return
    with store.get(newest) as file:
        content = file.read()
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError:
        return  # what cannot be read is told where backups are listed
    if manifest.sealed:
        raise Refused(
            f"backup {manifest.id} is encrypted, and UPKEEP_RECIPIENTS is not set",
            f"write UPKEEP_RECIPIENTS={manifest.sealed}, or =none if backups are to be plain from now on",
        )
