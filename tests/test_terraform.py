"""terraform/: formatted, parsed, and every resource and attribute known to the pinned providers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import hcl2
import pytest

from rubi import ROOT

FOLDER = ROOT / "terraform"
# source, version and commit are in the file
PROVIDERS = json.loads(Path(__file__).with_name("terraform_providers.json").read_text())
META = {"for_each", "count", "lifecycle", "depends_on", "provider", "dynamic"}


def plain(value: object) -> object:
    """Names without the quotes that hcl2 keeps, comments left out."""
    if isinstance(value, dict):
        return {k.strip('"'): plain(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.strip('"') if isinstance(value, str) else value


PARSED = {path.name: plain(hcl2.loads(path.read_text())) for path in sorted(FOLDER.glob("*.tf"))}
TEXT = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.tf")))


def blocks(kind: str) -> list[tuple[str, str, dict]]:
    """Type, name and body of each resource or data source."""
    return [
        (block_type, name, body)
        for parsed in PARSED.values()
        for block in parsed.get(kind, [])
        for block_type, named in block.items()
        for name, body in named.items()
    ]


def unknown(body: dict, schema: dict, where: str) -> list[str]:
    """Attributes that the provider does not have, blocks within included."""
    found = []
    inner = [(k, v) for k, v in body.items() if k not in META]
    for block in body.get("dynamic", []):
        inner += [(name, content["content"]) for name, content in block.items()]
    for name, value in inner:
        if name not in schema:
            found.append(f"{where}.{name}")
        elif schema[name] and isinstance(value, list):
            for one in value:
                found += unknown(one, schema[name], f"{where}.{name}")
    return found


def test_every_resource_and_attribute_exists_in_the_provider() -> None:
    used = blocks("resource") + blocks("data")
    assert len(used) > 12
    for kind, name, body in used:
        assert kind in PROVIDERS["resources"], kind
        assert unknown(body, PROVIDERS["resources"][kind], f"{kind}.{name}") == []


def test_an_invented_attribute_is_noticed() -> None:
    schema = PROVIDERS["resources"]["scaleway_rdb_instance"]
    assert unknown({"nodetype": 1, "logs_policy": [{"days": 1}]}, schema, "x") == [
        "x.nodetype", "x.logs_policy.days",
    ]  # fmt: skip


def test_every_reference_leads_to_an_attribute_of_the_provider() -> None:
    made = {(kind, name) for kind, name, _ in blocks("resource") + blocks("data")}
    found = re.findall(r"\b((?:scaleway|random)_\w+)\.(\w+)(?:\[[^\]]*\])?\.(\w+)", TEXT)
    assert len(found) > 10
    for kind, name, attribute in found:
        assert (kind, name) in made
        assert attribute in {*PROVIDERS["resources"][kind], "id"}, (kind, attribute)


def test_versions_are_pinned_as_the_schema_was_taken() -> None:
    (needed,) = PARSED["versions.tf"]["terraform"][0]["required_providers"]
    assert PROVIDERS["version"] in str(needed["scaleway"])


def test_variables_are_described_validated_and_used() -> None:
    for block in PARSED["variables.tf"]["variable"]:
        for name, body in block.items():
            assert body["description"], name
            assert f"var.{name}" in TEXT.replace(json.dumps(body), ""), name
            if body["type"].strip("${}") in ("string", "number"):
                assert body["validation"], name


def test_example_gives_known_variables_only() -> None:
    known = {name for block in PARSED["variables.tf"]["variable"] for name in block}
    given = plain(hcl2.loads((FOLDER / "terraform.tfvars.example").read_text()))
    assert set(given) < known


def test_no_password_is_written_and_outputs_hide_them() -> None:
    instance = next(b for k, _, b in blocks("resource") if k == "scaleway_rdb_instance")
    assert "password" not in instance
    assert instance["password_wo"].startswith("${random_password.")
    for parsed in PARSED["outputs.tf"]["output"]:
        for body in parsed.values():
            assert "password" not in str(body["value"]).replace("scaleway_secret.password", "")


def test_what_the_base_promises_is_ordered() -> None:
    instance = next(b for k, _, b in blocks("resource") if k == "scaleway_rdb_instance")
    assert instance["name"] == "rubi-studio-trading-db"
    assert instance["user_name"] == "rubi_admin"
    assert instance["disable_backup"] is False
    assert instance["backup_schedule_frequency"] == 24
    assert instance["encryption_at_rest"] is True
    assert '["rubi-studio", "trading", "production"]' in TEXT
    names = {
        body["name"] for kind, _, body in blocks("resource") if kind == "scaleway_rdb_database"
    }
    assert names == {"rubi_trading"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.tf")), ids=lambda path: path.name)
def test_files_are_formatted(path: Path) -> None:
    """By terraform itself where it is installed; tabs and trailing blanks never."""
    assert not re.search(r"\t| +$", path.read_text(), re.MULTILINE)
    if terraform := shutil.which("terraform"):
        done = subprocess.run([terraform, "fmt", "-check", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
