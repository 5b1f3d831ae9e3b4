"""The dictionary as Felis: complete, and accepted by Rubin's own validator."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli import main
from skyledger import dictionary, felis
from skyledger.errors import UsageError

KINDS = {"prompt": "living", "dr1": "static"}


@pytest.mark.requirement("GEN-29")
@pytest.mark.parametrize("database", KINDS)
def test_every_column_is_described_as_in_the_dictionary(database):
    said = yaml.safe_load(felis.document(database))
    relations = dictionary.shipped().of_kind(KINDS[database])
    tables = {table["name"]: table for table in said["tables"]}
    assert set(tables) == {relation.name for relation in relations}
    for relation in relations:
        columns = {column["name"]: column for column in tables[relation.name]["columns"]}
        versions = set(columns) - {column.name for column in relation.columns}
        assert versions == (
            {"insertedTai", "createdTai", "deletedTai"} if relation.kind == "living" else set()
        )
        for column in relation.columns:
            found = columns[column.name]
            assert found["description"] == column.description
            assert found.get("ivoa:unit") == column.unit
            assert found.get("ivoa:ucd") == column.ucd
            assert found["nullable"] is column.nullable
            if column.shape:
                n = [int(k) for k in found["votable:arraysize"].split("x")]
                assert tuple(reversed(n)) == column.shape


@pytest.mark.requirement("GEN-29")
def test_felis_validate_accepts_the_documents(tmp_path):
    if importlib.util.find_spec("felis") is None:
        pytest.skip("lsst-felis, of the test extra, is not installed")
    files = [tmp_path / f"{database}.yaml" for database in KINDS]
    for database, file in zip(KINDS, files, strict=True):
        words = ["db", "felis", str(file), "--database", database]
        assert CliRunner().invoke(main.build("db"), words).exit_code == 0
    checks = ("--check-description", "--check-tap-table-indexes", "--check-tap-principal")

    def validate(*names):
        return subprocess.run(
            [Path(sys.executable).with_name("felis"), "validate", *checks, *names],
            check=False,
            capture_output=True,
            text=True,
        )

    done = validate(*files)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Successfully validated") == 2
    # The judge does judge.
    text = files[0].read_text(encoding="utf-8")
    files[0].write_text(text.replace("datatype: long", "datatype: bigint", 1), encoding="utf-8")
    assert validate(files[0]).returncode != 0


def test_databases_without_a_description_are_refused():
    for name in ("mydb_ada", "prompt@2026-01-01", "nonsense"):
        with pytest.raises(UsageError, match=r"name prompt or dr1|is not a database"):
            felis.document(name)
