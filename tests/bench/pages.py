"""Figures in words: for the screen, and as the page that the documentation shows."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def amount(value: float, unit: str) -> str:
    """A measured value with three digits that mean something."""
    if unit == "s" and value < 0.1:
        value, unit = value * 1000, "ms"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {unit}"


def verdict(ratio: Document) -> str:
    """Whether a ratio is within its aim."""
    if ratio["aim"] is None:
        return ""
    return f"aim at most {ratio['aim']}: {'met' if ratio['met'] else 'MISSED'}"


def figure_text(figure: Document) -> str:
    """One figure for the screen."""
    lines = [f"\n{figure['title']}", f"  {figure['told']}"]
    width = max(len(series["name"]) for series in figure["series"])
    for series in figure["series"]:
        peak = "" if series["peak_mib"] is None else f"   peak {series['peak_mib']:,.0f} MiB"
        middle = f"   median {amount(series['median'], series['unit'])}" if series["n"] > 1 else ""
        worked = "" if series["cpu"] is None else f"   computing {amount(series['cpu'], 's')}"
        lines.append(
            f"    {series['name']:<{width}}  {amount(series['best'], series['unit']):>9}{middle}{worked}{peak}"
        )
    for ratio in figure["ratios"]:
        lines.append(f"  {ratio['value']:8.2f} x  {ratio['what']} over {ratio['over']}   {verdict(ratio)}".rstrip())
    lines += [f"  {note}" for note in figure["notes"]]
    return "\n".join(lines)


def page(document: Document) -> str:
    """All figures as Markdown."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield "# Figures\n"
    yield "Written by `python -m tests.bench --write`; do not edit. Every ratio is of two things measured side by side"
    yield "in one run, each in a process of its own, the best of n over the best of n. Seconds are of that machine;"
    yield "ratios travel.\n"
    yield f"- {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, {machine['processor']}, {machine['system']}"
    yield f"- {versions}"
    yield f"- size `{document['size']}`, {document['taken']}"
    for left_out in document["left_out"]:
        yield f"- {left_out['name']} is left out: {left_out['why']}"
    for figure in document["figures"]:
        yield from _section(figure)


def _section(figure: Document) -> Iterator[str]:
    yield f"\n## {figure['title']}\n"
    yield f"{figure['told'][0].upper()}{figure['told'][1:]}."
    yield f"Load before and after, for each core: {figure['load'][0]:.2f} and {figure['load'][1]:.2f}.\n"
    yield "| ratio | value | aim |\n|---|---:|---|"
    for ratio in figure["ratios"]:
        yield f"| {ratio['what']} over {ratio['over']} | {ratio['value']:.2f} | {verdict(ratio)} |"
    yield "\n| measured | n | best | median | computing | peak memory |\n|---|---:|---:|---:|---:|---:|"
    for series in figure["series"]:
        peak = "" if series["peak_mib"] is None else f"{series['peak_mib']:,.0f} MiB"
        worked = "" if series["cpu"] is None else amount(series["cpu"], "s")
        best, middle = amount(series["best"], series["unit"]), amount(series["median"], series["unit"])
        yield f"| {series['name']} | {series['n']} | {best} | {middle} | {worked} | {peak} |"
    for note in figure["notes"]:
        yield f"\n{note[0].upper()}{note[1:]}."
