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


@pytest.mark.parametrize("variable", [None, *patched_environment._FILES])
@pytest.mark.parametrize("name", ["config", "credentials"])
@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("", True),
        ("[default]\nregion = eu-central-1\n# role_arn\noutput=json\n", True),
        ("[profile a]\nregion = eu-central-1\ncli_history = aws_access_key_id\n", True),
        *(
            (f"[profile a]\nregion=eu-west-1\n  {k} = x\n", False)
            for k in patched_environment._KEYS
        ),
        ("[default]\nAWS_ACCESS_KEY_ID=x\n", False),
    ],
    ids=ascii,
)
def test_a_file_may_name_a_source(
    tmp_path: Path, variable: str | None, name: str, text: str, lacks: bool
) -> None:
    """A file with a region alone is no source: it is the file that `aws configure` writes on a
    machine without keys.
    """
    folder = tmp_path / ("elsewhere" if variable else ".aws")
    folder.mkdir()
    (folder / name).write_text(text)
    environ = {"HOME": str(tmp_path), _NO_METADATA: "true"}
    if variable is not None:
        assert lacks_credentials(environ | {variable: str(folder / "missing")})
        environ[variable] = str(folder / name)
    assert lacks_credentials(environ) is lacks


def test_a_file_that_cannot_be_read_may_name_a_source(tmp_path: Path) -> None:
    (tmp_path / ".aws" / "config").mkdir(parents=True)
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
