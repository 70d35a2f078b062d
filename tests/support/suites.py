"""Runs the pytest suite of a folder in a process of its own, as on a machine
without a configuration of AWS.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

_OURS = ("AWS_", "OPENAI_", "ANTHROPIC_", "BEDTAPE_", "PYTEST_", "RUN_REAL_")


def run_suite(folder: Path, *arguments: str) -> tuple[dict[str, ET.Element], str]:
    """Returns the elements `testcase` of the JUnit report by the names of
    the tests, and the output.
    """
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(
        [*command, f"--junitxml={report}", *arguments],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(folder), "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    cases = ET.fromstring(report.read_text()).iter("testcase")
    report.unlink()
    return {f"{case.get('classname')}.{case.get('name')}": case for case in cases}, done.stdout
