"""What every test stands on: a clean environment, Hypothesis profiles, and a last line that tells what was skipped."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings as hypothesis_settings

pytest_plugins = ("tests.damaged_clinic", "tests.servers.plugin", "tests.prefect_server")

hypothesis_settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis_settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True, derandomize=True)

QUIET = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
OF_THE_MACHINE = ("AWS_", "PREFECT_", "UPKEEP_")
OF_THE_APPLICATION = (
    "AUTO_BACKUP_ENABLED",
    "BACKUP_RETENTION_DAYS",
    "CORS_ORIGINS",
    "DATABASE_URL",
    "SECRET_KEY",
    "SENTRY_DSN",
)
SLOW_FILES = {
    "test_approval.py",
    "test_bench.py",
    "test_cli.py",
    "test_clinic_on_servers.py",
    "test_deployments.py",
    "test_enforcing.py",
    "test_killed.py",
    "test_migrate.py",
    "test_postgresql_beside.py",
    "test_postgresql_busy.py",
    "test_postgresql_exchange.py",
    "test_promises.py",
    "test_undo.py",
    "test_writers.py",
}
"""Nearly each of their tests is a whole run, or more than one."""


def pytest_configure(config: pytest.Config) -> None:
    """Prefect reads its home when it is imported, so this comes before any test file is; each worker has its own."""
    hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")
    home = tempfile.mkdtemp(prefix="upkeep-tests-prefect-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in list(os.environ):
        if name in OF_THE_APPLICATION or (name.startswith(OF_THE_MACHINE) and not name.startswith("UPKEEP_TEST_")):
            del os.environ[name]
    os.environ.update(QUIET, PREFECT_HOME=home)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow by itself and slow for a second server is exhaustive: the first server has said the same."""
    for item in items:
        if sum(1 for _ in item.iter_markers("slow")) > 1:
            item.add_marker("exhaustive")
        elif item.path.name in SLOW_FILES:
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Nothing that a test sets, or loads from an env file, reaches the next."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts what was skipped and why: a test that was not asked is not a test that passed."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.getreports("skipped")
    )
    if reasons:
        told = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        count = reasons.total()
        terminalreporter.write_line(f"skipped: {count} {'test' if count == 1 else 'tests'}: {told}")
