"""Files and environment: who wins, what is refused, and what `deblur config` says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.core import TyperGroup
from typer.main import get_command

from deblur_cli.cli.app import app
from deblur_cli.cli.configuration import Source, read_configuration
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture

USER_FILE = ".config/deblur/deblur.toml"


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, "utf-8")


def _settings(deblur: Command) -> dict[str, dict[str, Any]]:
    finished = deblur("config", "--json")
    assert finished.returncode == 0, finished.stderr
    return {line["key"]: line for line in map(json.loads, finished.stdout.splitlines())}


def test_every_option_of_every_command_has_a_key_and_a_variable_of_its_own(deblur: Command) -> None:
    shown = _settings(deblur)
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    options = {
        f"{name}.{max(each.opts, key=len).removeprefix('--')}"
        for name, command in group.commands.items()
        for each in command.params
        if each.param_type_name == "option"
    }
    assert options <= shown.keys()
    assert {"run.max-memory", "train.set", "weights.list.json"} <= shown.keys()
    variables = {line["variable"] for line in shown.values()}
    assert len(variables) == len(shown)
    assert {"DEBLUR_RUN_MAX_MEMORY", "DEBLUR_TRAIN_SET", "DEBLUR_WEIGHTS_LIST_JSON"} <= variables
    assert {line["source"] for line in shown.values()} == {"default"}


@settings(
    deadline=None, max_examples=16, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sources=st.sets(st.sampled_from([Source.user, Source.project, Source.environment])))
def test_the_first_that_says_something_wins(deblur: Command, sources: set[Source]) -> None:
    saying = {each: f"{each.value}-weights" if each in sources else "" for each in Source}
    for path, source in ((USER_FILE, Source.user), ("deblur.toml", Source.project)):
        _write(path, f'[run]\nmodel = "{saying[source]}"\n' if saying[source] else "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBLUR_RUN_MODEL", saying[Source.environment])
        line = _settings(deblur)["run.model"]
        refused = deblur("run", "gone", "--model", "flag-weights").stderr
    order = (Source.environment, Source.project, Source.user)
    winner = next((each for each in order if each in sources), Source.default)
    assert line["source"] == winner
    assert line["value"] == (saying[winner] or None)
    assert "gone" in refused


def test_flag_wins(fake_deblur: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    save_picture(Path("photos/a.png"))
    _write("deblur.toml", '[run]\noutput = "from-file"\n')
    monkeypatch.setenv("DEBLUR_RUN_OUTPUT", "from-environment")
    assert fake_deblur("run", "photos", "-o", "from-flag").returncode == 0
    assert Path("from-flag/a.png").exists()
    assert fake_deblur("run", "photos").returncode == 0
    assert Path("from-environment/a.png").exists()
    monkeypatch.delenv("DEBLUR_RUN_OUTPUT")
    finished = fake_deblur("run", "photos")
    assert Path("from-file/a.png").exists()
    assert f"{Path.cwd()}/deblur.toml sets --output; flags win" in finished.stderr


def test_values_are_as_on_the_command_line(
    deblur: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(
        "deblur.toml",
        '[run]\ntile = 512\nstrength = 0.5\nquiet = true\ninclude = ["*.png", "a b"]\n',
    )
    monkeypatch.setenv("DEBLUR_RUN_EXCLUDE", "drafts 'old ones'")
    monkeypatch.setenv("DEBLUR_RUN_OFFLINE", "1")
    monkeypatch.setenv("DEBLUR_WEIGHTS_CONVERT_HALF", "no")
    shown = _settings(deblur)
    assert {key: line["value"] for key, line in shown.items() if line["source"] != "default"} == {
        "run.tile": "512",
        "run.strength": "0.5",
        "run.quiet": True,
        "run.include": ["*.png", "a b"],
        "run.exclude": ["drafts", "old ones"],
        "run.offline": True,
        "weights.convert.half": False,
    }
    table = deblur("config").stdout
    assert "run.exclude" in table
    assert "drafts 'old ones'" in table
    assert "DEBLUR_RUN_EXCLUDE" in table


def test_switch_of_a_file_is_turned_off_by_the_environment(
    fake_deblur: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(Path("a.png"))
    _write("deblur.toml", "[run]\nquiet = true\n")
    assert fake_deblur("run", "a.png").stderr == ""
    monkeypatch.setenv("DEBLUR_RUN_QUIET", "0")
    assert "already done 1" in fake_deblur("run", "a.png").stderr


def test_nearest_parent_with_a_file_is_the_project(
    deblur: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write("deblur.toml", "[run]\nlimit = 1\n")
    _write("town/deblur.toml", "[run]\nlimit = 2\n")
    (tmp_path / "town/old/letters").mkdir(parents=True)
    monkeypatch.setattr("tests.cli.test_configuration.Path.cwd", lambda: tmp_path / "town/old")
    line = _settings(deblur)["run.limit"]
    assert (line["value"], line["origin"]) == ("2", str(tmp_path / "town/deblur.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\ntaks = 'motion'\n", "unknown key 'run.taks' (did you mean 'run.task'?)"),
        ("[rum]\ntask = 'motion'\n", "unknown key 'rum.task'"),
        ("task = 'motion'\n", "unknown key 'task'"),
        ("[run]\nmax_memory = '2GiB'\n", "(did you mean 'run.max-memory'?)"),
        ("[run.task]\nname = 'motion'\n", "unknown key 'run.task.name'"),
        ("[run]\nlimit = 'many'\n", "run.limit: "),
        ("[run]\nlimit = 0\n", "run.limit: "),
        ("[run]\nlimit = true\n", "run.limit: takes text or numbers"),
        ("[run]\ntask = 2026-01-01\n", "run.task: takes text or numbers"),
        ("[run]\nquiet = 'yes'\n", "run.quiet: is a switch: true or false"),
        ("[run]\ninclude = '*.png'\n", "run.include: takes a list"),
        ("[run]\ntask = ['motion']\n", "run.task: takes one value"),
        ("[run]\ntile = 'large'\n", "run.tile: 'large' is neither 'auto'"),
        ("[run\n", "is not valid TOML"),
        ("[run]\ntask = 'caf\xe9'\n", "is not valid TOML"),
    ],
)
@pytest.mark.parametrize("path", ["deblur.toml", USER_FILE])
def test_what_makes_no_sense_names_file_and_key(
    deblur: Command, path: str, text: str, said: str
) -> None:
    _write(path, "")
    Path(path).write_bytes(text.encode("latin-1"))
    for command in (["config"], ["run", "gone.png"]):
        finished = deblur(*command)
        assert finished.returncode == 2
        assert len(finished.stderr.splitlines()) == 1
        assert path in finished.stderr
        assert said in finished.stderr


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("DEBLUR_RUN_TAKS", "motion", "did you mean 'DEBLUR_RUN_TASK'?"),
        ("DEBLUR_RUN_LIMIT", "many", "DEBLUR_RUN_LIMIT: "),
        ("DEBLUR_RUN_QUIET", "perhaps", "DEBLUR_RUN_QUIET: "),
        ("DEBLUR_RUN_INCLUDE", "'*.png", "DEBLUR_RUN_INCLUDE: No closing quotation"),
    ],
)
def test_what_makes_no_sense_names_the_variable(
    deblur: Command, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, said: str
) -> None:
    monkeypatch.setenv(variable, text)
    finished = deblur("config")
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert said in finished.stderr
    monkeypatch.setenv(variable, "")
    assert deblur("config").returncode == 0


def test_other_variables_are_none_of_our_business(
    deblur: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DEBLUR_VERSION", "DEBLUR_CACHE", "DEBLUR_HOME", "DEBLUR_RUNNER_ID"):
        monkeypatch.setenv(name, "1")
    assert {line["source"] for line in _settings(deblur).values()} == {"default"}


def test_file_that_cannot_be_read(deblur: Command) -> None:
    Path(USER_FILE).mkdir(parents=True)
    finished = deblur("config")
    assert finished.returncode == 2
    assert f"{USER_FILE}: cannot be read" in finished.stderr


def test_help_shows_what_is_set(deblur: Command) -> None:
    _write("deblur.toml", "[run]\nlimit = 7\n")
    assert "[default: 7" in deblur("run", "--help").stdout


def test_working_directory_that_is_gone(deblur: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr("deblur_cli.cli.configuration.Path.cwd", gone)
    assert deblur("config").returncode == 0


def test_without_files_nothing_is_set(deblur: Command) -> None:
    context = get_command(app).make_context("deblur", ["config"])
    assert read_configuration(context).default_map == {}
