"""Two hooks of the build: the metadata that depend on the repository's address, and the
optional compiled modules.

`describe` makes the links of README absolute, because PyPI shows README and has no other file of
the repository. `python hatch_build.py --check`, a step of the release, fails if the address is
still the placeholder.

The second hook compiles the modules of a call's path with mypyc, for a wheel whose server needs
less CPU. It runs if `HATCH_BUILD_HOOK_ENABLE_CUSTOM=1` is set, and never for an editable install.
pyproject.toml lists the modules. The wheel contains their Python source too, for tracebacks. Every
other build needs no compiler.
"""

import re
import sys
import tomllib
from contextlib import chdir
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# Code, which stays as it is, or a Markdown link or image whose target is a file of the repository
# or, with `#`, a part of README itself.
_LINK = re.compile(
    r"^```.*?^```$|`[^`\n]+`(?!\])|(!?)\[([^]]*)\]\((?!https?://|mailto:)([^)\s]+)\)", re.M | re.S
)


def make_links_absolute(markdown: str, repository: str, revision: str) -> str:
    """README as PyPI can show it: links to files lead to the repository's pages, images
    to the files themselves.

    `revision` is the tag or branch whose files the links name.
    """

    def replace(link: re.Match[str]) -> str:
        image, text, target = link.groups()
        if target is None:
            return link.group()
        if target.startswith("#"):
            target = f"README.md{target}"
        return f"{image}[{text}]({repository}/{'raw' if image else 'blob'}/{revision}/{target})"

    return _LINK.sub(replace, markdown)


def describe(project: dict[str, Any], repository: str, readme: str) -> dict[str, Any]:
    """The fields `urls` and `readme` of the project's metadata."""
    revision = f"v{project['version']}"
    urls = {
        "Homepage": repository,
        "Documentation": f"{repository}/blob/{revision}/docs/index.md",
        "Changelog": f"{repository}/blob/{revision}/CHANGELOG.md",
        "Source": repository,
        "Issues": f"{repository}/issues",
    }
    text = make_links_absolute(readme, repository, revision)
    return {"urls": urls, "readme": {"content-type": "text/markdown", "text": text}}


class Description(MetadataHookInterface):
    """Adds the project's addresses and its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata |= describe(metadata, self.config["repository"], readme)


def check_repository(pyproject: Path) -> str | None:
    """Why a release cannot have the address in `pyproject`; None if it can."""
    address: str = tomllib.loads(pyproject.read_text())["tool"]["hatch"]["metadata"]["hooks"][
        "custom"
    ]["repository"]
    if ".example/" not in address:
        return None
    return (
        f"{pyproject.name}, [tool.hatch.metadata.hooks.custom], repository: expected the address "
        f"of the public repository, found the placeholder {address}; write the address there"
    )


class CompiledModules(BuildHookInterface[Any]):
    """Adds the compiled modules to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self.work = TemporaryDirectory(prefix="bedtape-compiled-")  # in use until `finalize`
        work = Path(self.work.name)
        for package in self.build_config.packages:
            source = Path(self.root, package)
            copytree(source, work / source.name, ignore=ignore_patterns("__pycache__", "samples"))
        built = work / "built"
        with chdir(work):
            _compile(self.config["modules"], built)
        build_data |= {"pure_python": False, "infer_tag": True}
        for path in filter(Path.is_file, built.rglob("*")):
            build_data["force_include"][str(path)] = path.relative_to(built).as_posix()

    def finalize(self, version: str, _: dict[str, Any], _path: str) -> None:
        if version != "editable":
            self.work.cleanup()


def _compile(modules: list[str], built: Path) -> None:
    """Writes extension modules for Python modules below the working folder, which
    are named by their paths.
    """
    # Only this build has these packages.
    from mypyc.build import mypycify
    from setuptools import Distribution

    Path("mypy.ini").write_text("[mypy]\nignore_missing_imports = true\n")
    extensions = mypycify(
        ["--config-file", "mypy.ini", *modules],
        group_name="bedtape",
        target_dir="c",
        debug_level="0",
    )
    command: Any = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(built), "objects"
    command.ensure_finalized()
    command.run()


if __name__ == "__main__" and sys.argv[1:] == ["--check"]:
    sys.exit(check_repository(Path(__file__).with_name("pyproject.toml")))
