"""The one door through which the environment and `.env` come in."""

import difflib
import os
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from upkeep.errors import Refused
from upkeep.setting_kinds import OURS
from upkeep.settings import Settings

_WORDING = {
    "bool_parsing": "is neither true nor false",
    "float_parsing": "is no number",
    "finite_number": "is no finite number",
    "int_parsing": "is no whole number",
    "greater_than": "is not more than {gt:g}",
    "greater_than_equal": "is less than {ge:g}",
    "less_than_equal": "is more than {le:g}",
}


def load_settings(env_file: Path | None = None) -> Settings:
    """The settings from the environment and, behind it, from ``env_file`` (`.env` of the working folder if None).

    Raises Refused with all that is wrong and what to write instead, and never with a value. boto3 reads the process's
    environment and nothing else, so the AWS_* names of the file are put there.
    """
    path = env_file or Path(".env")
    if env_file is not None and not env_file.is_file():
        raise Refused(f"there is no settings file {env_file}", "copy .env.example there and fill it in")
    written, wrong = _read(path) if path.is_file() else ({}, [])
    around = written | dict(os.environ)
    try:
        settings = Settings(_env_file=path)
    except ValidationError as error:
        wrong = _wrong_values(error) + wrong
    wrong += [_unknown(name) for name in sorted(around) if OURS.match(name) and name not in _KNOWN]
    if wrong:
        count = "one setting is wrong" if len(wrong) == 1 else f"{len(wrong)} settings are wrong"
        raise Refused(f"{count}: {'; '.join(what for what, _ in wrong)}", "; ".join(instead for _, instead in wrong))
    for name in (name for name in written if name.startswith("AWS_")):
        os.environ.setdefault(name, written[name])
    return settings.passing_on(around)


_KNOWN: dict[str, FieldInfo] = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def _read(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The names and values of an env file, and each line of it that is none: python-dotenv would step over those."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{path} cannot be read: {type(error).__name__}", "make it a text file in UTF-8 that you may read"
        ) from None
    written = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}
    faulty = [line for line in parse_stream(StringIO(text)) if line.error or (line.key and line.value is None)]
    instead = "write NAME=value there, or # before it"
    return written, [(f"line {line.original.line} of {path} is no setting", instead) for line in faulty]


def _wrong_values(error: ValidationError) -> list[tuple[str, str]]:
    """Each wrong value in words, and what to write instead; the value itself may be a secret in the wrong place."""
    wrong = []
    for fault in error.errors(include_input=False, include_url=False):
        name, context = str(fault["loc"][0]), fault.get("ctx", {})
        wording = "{error}" if fault["type"] == "value_error" else _WORDING.get(fault["type"], "cannot be used")
        field = _KNOWN[name]
        wrong.append(
            (f"{name} {wording.format(**context)}", f"write {name}={(field.examples or [''])[0]} ({field.description})")
        )
    return wrong


def _unknown(name: str) -> tuple[str, str]:
    """A name that looks like ours and is none: most likely it is mistyped."""
    words = {known.removeprefix("UPKEEP_"): known for known in _KNOWN}  # the common beginning would make all look alike
    near = difflib.get_close_matches(name.upper().removeprefix("UPKEEP_"), words, n=1)
    return f"{name} is no setting", f"write {words[near[0]]}" if near else f"remove {name}: .env.example has every name"
