"""What a text must be to be the value of a setting; the complaints go on after the setting's name."""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from upkeep.urls import read_url

_NEVER_PASSED_ON = re.compile(r"DATABASE_URL|AWS_.*|UPKEEP_.*")
OURS = re.compile(r"(?i)UPKEEP_(?!TEST_)")  # UPKEEP_TEST_... are switches of the test suite


def _absolute(path: Path) -> Path:
    """The path as it is meant from here; links stay, for a virtual environment's interpreter is one."""
    return path.expanduser().absolute()


def _checked(holds: Callable[[Path], bool], complaint: str) -> Callable[[Path], Path]:
    def check(path: Path) -> Path:
        if not holds(path):
            raise ValueError(complaint)
        return path

    return check


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _short_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise ValueError("is no short name")
    return name


def _database_url(url: SecretStr) -> SecretStr:
    read_url(url.get_secret_value())
    return url


def _store_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[a-z][a-z0-9]*", scheme):
        raise ValueError("is no URL of a store")
    if "@" in rest.partition("/")[0]:
        raise ValueError("holds credentials, which belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return url


def _recipients(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Keys with commas or spaces between them. Whether each is one is asked by who uses them."""
    return value if isinstance(value, tuple) else tuple(value.replace(",", " ").split())


def _metadata(name: str) -> str:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise ValueError("names no module and attribute")
    return name


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(",") if name.strip())


def _passed_on(value: str | tuple[str, ...]) -> tuple[str, ...]:
    names = _listed(value)
    if kept_back := [name for name in names if _NEVER_PASSED_ON.fullmatch(name)]:
        raise ValueError(f"would hand {', '.join(kept_back)} to the application's code")
    return names


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if text and not words:
        raise ValueError("is no command")
    return text


def _words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    names = _listed(value)
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) for name in names):
        raise ValueError("is no list of names")
    return names


def _lock(name: str) -> str:
    if name not in ("governance", "compliance"):
        raise ValueError("is neither governance nor compliance")
    return name


def _variables(value: str | tuple[str, ...]) -> tuple[str, ...]:
    names = _words(value)
    if ours := [name for name in names if OURS.match(name) or name in ("PATH", "HOME")]:
        raise ValueError(f"would put the URL into {', '.join(ours)}")
    return names


Place = Annotated[Path, AfterValidator(_absolute)]
ExistingFile = Annotated[Place, AfterValidator(_checked(Path.is_file, "is not there, or no file"))]
ExistingFolder = Annotated[Place, AfterValidator(_checked(Path.is_dir, "is not there, or no folder"))]
Program = Annotated[Place, AfterValidator(_checked(_is_program, "is no program"))]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
ShortName = Annotated[str, AfterValidator(_short_name)]
Command = Annotated[str, AfterValidator(_command)]
Lock = Annotated[str, AfterValidator(_lock)]
Metadata = Annotated[str, AfterValidator(_metadata)]
Recipients = Annotated[tuple[str, ...], BeforeValidator(_recipients)]
Variables = Annotated[tuple[str, ...], BeforeValidator(_variables)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
PassedOn = Annotated[tuple[str, ...], BeforeValidator(_passed_on)]
