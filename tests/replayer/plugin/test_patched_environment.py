"""Whether a child process can find credentials, from its variables and its home folder."""

from pathlib import Path

import pytest

from bedtape_replayer.plugin import patched_environment
from bedtape_replayer.plugin.patched_environment import lacks_credentials

_NO_METADATA = "AWS_EC2_METADATA_DISABLED"


@pytest.mark.parametrize("name", patched_environment._SOURCES)
def test_a_variable_is_a_source(tmp_path: Path, name: str) -> None:
    environ = {"HOME": str(tmp_path), _NO_METADATA: "true"}
    assert lacks_credentials(environ)
    assert lacks_credentials(environ | {name: ""})
    assert not lacks_credentials(environ | {name: "any"})


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_is_a_source(tmp_path: Path, name: str) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / name).touch()
    assert not lacks_credentials({"HOME": str(tmp_path), _NO_METADATA: "true"})


@pytest.mark.parametrize(
    ("vendor", "lacks"), [("Amazon EC2\n", False), ("QEMU\n", True), (None, True)]
)
def test_a_machine_of_aws_may_have_a_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str | None, lacks: bool
) -> None:
    file = tmp_path / "sys_vendor"
    if vendor is not None:
        file.write_text(vendor)
    monkeypatch.setattr(patched_environment, "_VENDOR", file)
    environ = {"HOME": str(tmp_path)}
    assert lacks_credentials(environ) is lacks
    assert lacks_credentials(environ | {_NO_METADATA: "true"})
