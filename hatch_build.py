"""Compiles the modules of a call's path with mypyc, if BEDTAPE_COMPILE=1 is set. Otherwise the wheel is pure Python."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The libraries that bedtape imports are not installed where it is built, so their types are not known.
_MYPY = "[mypy]\nignore_missing_imports = true\n"
_IGNORED = shutil.ignore_patterns("__pycache__", "samples", "static")


class CompiledHook(BuildHookInterface[Any]):
    """`modules` in pyproject.toml lists the modules. Each keeps its source in the wheel, beside its library."""

    def dependencies(self) -> list[str]:
        return ["mypy[mypyc]>=1.13"] if self._is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not self._is_wanted():
            return
        self._work = tempfile.mkdtemp(prefix="bedtape-compiled-")
        work = Path(self._work)
        for package in self.build_config.packages:
            shutil.copytree(Path(self.root, package), work / Path(package).name, ignore=_IGNORED)
        (work / "mypy.ini").write_text(_MYPY)
        subprocess.run([sys.executable, "-m", "mypyc", *self.config["modules"]], cwd=work, check=True)
        libraries = [path for path in work.rglob("*.so") if "build" not in path.relative_to(work).parts]
        build_data["force_include"].update({str(path): path.relative_to(work).as_posix() for path in libraries})
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_work"):
            shutil.rmtree(self._work)

    def _is_wanted(self) -> bool:
        return os.environ.get("BEDTAPE_COMPILE") == "1"
