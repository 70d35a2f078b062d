"""Node.js projects for tests: the packed client, and the packages that lock
files have installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from support import WAIT

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "typescript"


def skip_unless_installed(*folders: Path) -> None:
    """Skips the test unless Node.js and all packages of the folders' lock files are installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: these tests need Node.js 20 or later with npm")
    for folder in folders:
        if missing := _find_missing(folder):
            shown = folder.relative_to(ROOT)
            pytest.skip(f"{missing} of {shown} is not installed: `make examples` installs it")
    if not (CLIENT / "dist" / "cjs" / "package.json").is_file():
        pytest.skip("the client is not built: `make examples` builds it")


def _find_missing(folder: Path) -> str | None:
    """A package of the lock file that is not installed in this version.

    Packages of other systems do not count.
    """
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.is_file():
        return "node_modules"
    here = json.loads(installed.read_text())["packages"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        needed = name.startswith("node_modules/") and not (
            package.get("optional") or package.get("peer")
        )
        if needed and here.get(name, {}).get("version") != package.get("version"):
            return str(name)
    return None


def make_project(folder: Path, packages: Path | None = None) -> None:
    """Makes `node_modules` with the client as `npm pack` packs it, and with the
    packages of another folder.
    """
    skip_unless_installed(CLIENT, *([] if packages is None else [packages]))
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    if packages is not None:
        for package in (packages / "node_modules").iterdir():
            if package.name not in ("@bedtape", ".bin"):
                (modules / package.name).symlink_to(package)
        shutil.copytree(packages / "node_modules" / ".bin", modules / ".bin", symlinks=True)
    # Without scripts: the build is what `make examples` made.
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    subprocess.run(command, cwd=CLIENT, check=True, capture_output=True, timeout=WAIT)
    (packed,) = folder.glob("bedtape-client-*.tgz")
    with tarfile.open(packed) as tar:
        tar.extractall(modules / "@bedtape", filter="data")
    (modules / "@bedtape" / "package").rename(modules / "@bedtape" / "client")
    packed.unlink()
    shim = modules / ".bin" / "bedtape"
    shim.parent.mkdir(exist_ok=True)
    shim.unlink(missing_ok=True)
    shim.symlink_to("../@bedtape/client/dist/cli.js")
    shim.resolve().chmod(0o755)
