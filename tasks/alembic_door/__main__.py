"""Where the application's interpreter comes in: it is given this folder and the file for the answer.

Called as ``python tasks/alembic_door ANSWER``: it makes itself ready, then waits for one line of JSON on standard input
and writes its answer to the file.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_NAME = "upkeep_alembic_door"
"""In the application's process this folder is a package of this name, so that no module of hers is hidden by ours."""


def door() -> ModuleType:
    """The file that answers, with its neighbours in reach and this folder off the path."""
    here = Path(__file__).parent
    sys.path.pop(0)  # this folder, which the interpreter has put there
    spec = importlib.util.spec_from_file_location(_NAME, here / "__init__.py", submodule_search_locations=[str(here)])
    if spec is None:
        raise ImportError(f"{here} is no package")
    sys.modules[_NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{_NAME}.answering")


if __name__ == "__main__":
    door().main(Path(sys.argv[1]))
