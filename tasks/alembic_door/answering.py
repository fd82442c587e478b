"""One request answered: read from standard input, done by the file for its verb, written down.

The request names the ini file, the verb (``inspect``, ``upgrade``, ``downgrade``, ``check`` or ``draft``), the
database's revisions, its URL, and a query with its answer by which every connection is checked. The URL is in no
argument list and in no file (P-24); an ``env.py`` finds it in the configuration, in the variables of the environment
and among the arguments of ``-x`` that the request names.
"""

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from threading import Thread
from typing import Any

from alembic.config import Config

from .drafting import draft, know
from .faults import Told
from .moving import move
from .scripts import inspect


def leave_with_the_caller() -> None:
    """Standard input ends when the caller is gone: nobody waits for the answer, and its scratch is being removed."""
    sys.stdin.read()
    os._exit(3)


def configured(asked: dict[str, Any]) -> Config:
    """The configuration with the URL in all the ways in which an env.py may read it."""
    url = asked.get("url", "")
    options = Namespace(x=[f"{name}={url}" for name in asked["by_x"]]) if url else None
    config = Config(asked["ini"], cmd_opts=options)
    if url:
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        for name in asked["by_environment"]:
            os.environ[name] = url
    return config


def say_ready() -> None:
    """Tell on standard output that all is imported; what the application's code prints is nobody's."""
    os.write(1, b"ready\n")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def main(answer: Path) -> None:
    """Do what the request asks and write the answer; without a request there is none."""
    say_ready()
    line = sys.stdin.readline()
    if not line:
        return
    Thread(target=leave_with_the_caller, daemon=True).start()
    asked = json.loads(line)
    config = configured(asked)
    know(asked.get("drafts", {}))
    act = {"inspect": inspect, "draft": draft}.get(asked["verb"], move)
    try:
        said = act(config, asked)
    except Told as told:
        said = {"refused": list(told.args)}
    answer.write_text(json.dumps(said))
