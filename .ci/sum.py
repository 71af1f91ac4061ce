"""Sums up what the suites counted: `sum.py FOLDER REPORT...`.

A report is what Jest (.json) or pytest (.xml) wrote. A suite that got no further than its start wrote none and counts as one
failure. What failed is printed once more before the sum: hours of output lie between, and logs are cut. Then comes what took the
time: the seconds of each suite, as the gate wrote them into FOLDER/seconds, and the slowest steps of each file of lab tests.
"""

import json
import re
import sys
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# How many lines of a long message are printed from each end.
LINES = 30
# How many of a file's steps are among the slowest.
STEPS = 5


class Count(NamedTuple):
    passed: int
    failed: int
    messages: list[tuple[str, str]]
    """Name and message of each failure."""


def read_jest(path: Path) -> Count:
    report = json.loads(path.read_text())
    failed = report["numFailedTests"] + report["numRuntimeErrorTestSuites"]
    return Count(report["numPassedTests"], failed, list(jest_messages(report)))


def jest_messages(report: dict) -> Iterator[tuple[str, str]]:
    for file in report["testResults"]:
        bad = [test for test in file["assertionResults"] if test["status"] == "failed"]
        for test in bad:
            yield test["fullName"], "\n".join(test["failureMessages"])
        if file["status"] == "failed" and not bad:
            yield Path(file["name"]).name, file["message"]


def read_pytest(path: Path) -> Count:
    tree = xml.parse(path)
    messages = [
        (test.attrib["name"], fault.text or "")
        for test in tree.iter("testcase")
        for fault in [*test.findall("failure"), *test.findall("error")]
    ]
    suite = next(tree.iter("testsuite")).attrib
    failed = int(suite["failures"]) + int(suite["errors"])
    return Count(int(suite["tests"]) - failed - int(suite["skipped"]), failed, messages)


def read_report(path: Path) -> Count:
    if not path.exists():
        return Count(0, 1, [])
    return read_jest(path) if path.suffix == ".json" else read_pytest(path)


def shorten(message: str) -> list[str]:
    lines = re.sub(r"\x1b\[[0-9;]*m", "", message).splitlines()
    return lines if len(lines) <= 2 * LINES else lines[:LINES] + ["[...]"] + lines[-LINES:]


def suite_seconds(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines() if path.exists() else []:
        seconds, name = line.split(" ", 1)
        yield f"{seconds:>6} s  {name}"


def slow_steps(path: Path) -> Iterator[str]:
    """A file's own time has also what comes before its steps, such as bringing up the lab."""
    report = json.loads(path.read_text()) if path.suffix == ".json" and path.exists() else {}
    for file in report.get("testResults", []):
        if "/test/lab/" in file["name"]:
            yield f"{(file['endTime'] - file['startTime']) / 1000:6.0f} s  {Path(file['name']).name}"
            steps = sorted(file["assertionResults"], key=lambda test: -(test["duration"] or 0))
            for test in steps[:STEPS]:
                yield f"{(test['duration'] or 0) / 1000:10.0f} s  {test['fullName']}"


def print_seconds(folder: str, names: tuple[str, ...]) -> None:
    steps = (line for name in names for line in slow_steps(Path(folder, name)))
    lines = [*suite_seconds(Path(folder, "seconds")), *steps]
    if lines:
        print("SECONDS", *lines, sep="\n")


def main(folder: str, *names: str) -> None:
    counts = [read_report(Path(folder, name)) for name in names]
    untried = 0
    for name, message in (one for count in counts for one in count.messages):
        lines = shorten(message)
        if lines and "not tried:" in lines[0]:
            untried += 1
        else:
            print(f"FAILED  {name}", *lines, sep="\n    ")
    if untried:
        print(f"FAILED  {untried} steps that were not tried, for one of these had failed before them")
    print_seconds(folder, names)
    print(f"{sum(c.passed for c in counts)} passed, {sum(c.failed for c in counts)} failed")


main(*sys.argv[1:])
