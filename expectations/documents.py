"""Static pages about suites and their results, drawn from what was kept of them and from nothing else."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from great_expectations import __version__ as version
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.store.store import DataDocsSiteConfigTypedDict
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from expectations.meaning import Heard
from expectations.suites import Suite, expectation, expectation_suite
from expectations.views import IndexPageView, PageView

SITE = "pages"
SECTIONS = ("expectations", "validations", "profiling")


def write_documents(
    context: EphemeralDataContext, folder: Path, heard: Sequence[tuple[Suite, Sequence[Heard]]]
) -> bool:
    """Write Data Docs below ``folder``: a page for each suite and one for its results. False where a page is missing.

    The library's own results never reach its stores: the pages are scratch copies of what they show (P-106), so the
    results are written anew from what was kept.
    """
    run = RunIdentifier(run_name="upkeep", run_time=datetime.datetime.now(datetime.UTC))
    for suite, ones in heard:
        context.suites.add(expectation_suite(suite.name, suite.rules))
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite.name), run, suite.name)
        context.validation_results_store.add(key, _result(suite, ones))
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(SITE, _site(folder))
    context.build_data_docs(site_names=[SITE])
    # what goes wrong at one page the library only prints, and leaves the page out
    return len(list(folder.glob("validations/**/*.html"))) == len(heard)


def _site(folder: Path) -> DataDocsSiteConfigTypedDict:
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": _view(IndexPageView)},
        "site_section_builders": {  # type: ignore[typeddict-unknown-key]  # the library reads it all the same
            section: {"view": _view(PageView)} for section in SECTIONS
        },
    }


def _view(view: type) -> dict[str, str]:
    return {"module_name": view.__module__, "class_name": view.__name__}


def _result(suite: Suite, heard: Sequence[Heard]) -> ExpectationSuiteValidationResult:
    passed = sum(one.answer.holds is True for one in heard)
    return ExpectationSuiteValidationResult(
        success=passed == len(heard),
        results=[_entry(one) for one in heard],
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(heard),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(heard) - passed,
            "success_percent": 100.0 * passed / len(heard) if heard else None,
        },
        meta={"great_expectations_version": version},
    )


def _entry(one: Heard) -> ExpectationValidationResult:
    unasked = one.answer.holds is None
    rule = replace(one.rule, description=f"{one.rule.description} ({one.told})") if one.told else one.rule
    return ExpectationValidationResult(
        success=one.answer.holds is True,
        expectation_config=expectation(rule, rule.name).configuration,
        result=dict(one.kept) or {"observed_value": one.answer.seen},
        exception_info={
            "raised_exception": unasked,
            "exception_message": one.answer.seen if unasked else None,
            "exception_traceback": "",
        },
    )
