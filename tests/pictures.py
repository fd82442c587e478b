"""The pictures in docs/pictures: `make pictures` has the example clinic remediated and photographs the pages of it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.damaged_clinic import build_clinic
from tests.prefect_server import HOUSE, Served, serving
from tests.test_approval import digest_in

PICTURES = HOUSE / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE = (1440, 1000)


def main() -> None:
    """Photograph a run that waits, its findings, its form, how it ended, and the auditor's page of it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upkeep-pictures-") as temporary:
        clinic = build_clinic(Path(temporary) / "clinic", backed_up=False)
        with serving(Path(temporary), clinic) as served, browser() as page:
            run = served.run("remediate", clinic)
            _, told = served.form(run)
            photograph_run(page, served, run, "run")
            photograph_artifact(page, served, run, "findings")
            photograph_form(page, served, run, "approval")
            served.answer(run, answer="approve", digest=digest_in(told)[:12], name="Ada", reason="read and discussed")
            state = served.wait(run)
            assert state["type"] == "COMPLETED", state
            photograph_run(page, served, run, "finished")
            photograph_artifact(page, served, run, "summary")
            photograph_file(page, max(clinic.store.glob("evidence/*/page.html")), "page")
    for picture in sorted(PICTURES.glob("*.png")):
        print(f"{picture.relative_to(HOUSE)}: {picture.stat().st_size:,} bytes")


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a real browser that asks nothing of the internet."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        raise SystemExit("there is no chromium; as root: make servers")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        page.route("**/*", lambda route: route.continue_() if is_here(route.request.url) else route.abort())
        yield page
        chromium.close()


def is_here(url: str) -> bool:
    """Is it of this machine?"""
    return "//127.0.0.1" in url or url.startswith("file://")


def photograph_file(page: Page, file: Path, name: str) -> None:
    """The top of a page that stands in the store."""
    page.goto(file.as_uri())
    _take(page, name)


def photograph_run(page: Page, served: Served, run: str, name: str) -> None:
    """The page of a run."""
    page.goto(f"{served.pages}/runs/flow-run/{run}")
    _take(page, name)


def photograph_form(page: Page, served: Served, run: str, name: str) -> None:
    """The form that opens when an operator presses Resume."""
    page.goto(f"{served.pages}/runs/flow-run/{run}")
    page.get_by_role("button", name="Resume").first.click()
    page.get_by_role("dialog").get_by_text("nothing is done unless you approve").wait_for()
    _take(page, name)


def photograph_artifact(page: Page, served: Served, run: str, name: str) -> None:
    """One artifact of a run on its own page."""
    asked = {"flow_runs": {"id": {"any_": [run]}}, "artifacts": {"key": {"any_": [name]}}}
    artifact = served.post("artifacts/filter", asked)[0]
    page.goto(f"{served.pages}/artifacts/artifact/{artifact['id']}")
    _take(page, name)


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(4000)  # the pages draw themselves piece by piece, and say nowhere that they have finished
    page.screenshot(path=str(PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
