"""The champion as a user sees it: compared, promoted, rolled back, with a history that shows changes."""

import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

ANOTHER = "student-int8-qat"


def champion(project):
    return json.loads((project.folder / "champion.json").read_text())["version"]


@pytest.mark.slow
def test_a_version_is_judged_forced_rolled_back_and_all_of_it_is_remembered(project):
    rows = {row["name"]: row for row in project("models", "--json").json}
    first, other = champion(project), rows[ANOTHER]["version"]
    assert [row["version"] for row in rows.values() if "champion" in row["aliases"]] == [first]

    compared = project("compare", "champion", other, "--json").json
    gates = {gate["gate"]: gate for gate in compared["gates"]}
    assert gates["unseen rows"]["numbers"] == {"rows": compared["rows"], "test_rows": compared["rows"]}
    assert gates["smoke"]["outcome"] == "passed"
    assert "no challenger" in project("promote", code=2).err
    impossible = ("--set", "promotion.footprint.max_bytes=1")
    refused = project("promote", other, *impossible, "--json", code=3)
    assert refused.json["verdict"]["outcome"] == "refused"
    assert "size, refused" in refused.err
    assert champion(project) == first

    forced = project("promote", other, "--force", "--reason", "to see it", *impossible, "--json").json
    assert (forced["promoted"], forced["forced"], champion(project)) == (True, True, other)
    back = project("rollback", "--reason", "seen", "--json").json
    assert (back["champion"], back["previous"], back["smoke_rows"]) == (first, other, 100)
    events = project("history", "--verify", "--json").json["events"]
    assert [(e["kind"], e["from"], e["to"], e["verdict"], e["forced"]) for e in events] == [
        ("first", None, first, None, False),
        ("forced", first, other, "refused", True),
        ("rolled back", other, first, None, False),
    ]

    (page,) = (project.folder / "reports").glob("*/index.html")
    assert "No gate was asked in this run" in page.read_text()
    project("promote", other, "--force", "--reason", "for the page")
    judged = page.read_bytes()
    assert f"against champion {first}" in judged.decode()
    assert "latency p50" in judged.decode().partition('id="gates"')[2].partition("</section>")[0]
    project("run")
    assert page.read_bytes() == judged


def test_an_event_that_was_edited_in_the_database_is_found(project):
    database = project.folder / ".distillery/mlflow/mlflow.db"
    with sqlite3.connect(database) as connection:
        changed = connection.execute(
            "UPDATE model_version_tags SET value = replace(value, 'there was no', 'there was a') "
            "WHERE key = 'event'"
        )
        assert changed.rowcount == 1
    connection.close()
    found = project("history", "--verify", code=1)
    assert "event 1 was edited" in found.out
    assert "event 1 was edited" in found.err


def test_a_store_that_was_deleted_and_made_anew_does_not_pass_for_the_old_one(project):
    shutil.rmtree(project.folder / ".distillery/mlflow")
    found = project("history", "--verify", "--json").json
    assert found["events"] == []
    assert "champion.json is of another registry" in found["notes"][0]


def test_rollback_and_history_import_neither_torch_nor_prefect_nor_a_data_library(project):
    code = (
        "import sys; from tasks import reading_history, rolling_back;"
        "print(sorted({'torch', 'prefect', 'sklearn', 'dvc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
