from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.naming import Template


def _name(text: str, source: str = "in/a.b.JPG") -> str:
    template = Template(text, model="algnet", task="motion")
    return template.name(Path(source), ".JPG").as_posix()


def test_fields() -> None:
    assert _name("{stem}{ext}") == "a.b.JPG"
    assert _name("{model}/{task}-{stem}{ext}") == "algnet/motion-a.b.JPG"
    assert _name("{{{stem}}}{ext}") == "{a.b}.JPG"


def test_braces_in_a_files_own_name_mean_nothing() -> None:
    assert _name("{stem}_x{ext}", "in/{model}.jpg") == "{model}_x.JPG"


def test_model_cannot_make_folders() -> None:
    named = Template("{stem}_{model}{ext}", model="../x y/z", task="").name(Path("a.jpg"), ".jpg")
    assert named == Path("a_..-x-y-z.jpg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{stem}_{size}{ext}", "no field {size}"),
        ("{stem.__class__}", "no field {stem.__class__}"),
        ("{0}{ext}", "no field {0}"),
        ("{}{ext}", "no field {}"),
        ("{stem:>9}{ext}", "style"),
        ("{stem!r}{ext}", "style"),
        ("{stem", "expected '}'"),
        ("stem}", "Single '}'"),
        ("../{stem}{ext}", "out of the output folder"),
        ("/tmp/{stem}{ext}", "out of the output folder"),
        ("a/../../{stem}{ext}", "out of the output folder"),
        (".deblur/{stem}{ext}", "out of the output folder"),
        ("{stem}/", "names no file"),
        ("", "names no file"),
        (".", "names no file"),
    ],
)
def test_templates_that_make_no_sense(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template(text, model="", task="")
    assert said in str(caught.value)
    assert "the fields are {stem}, {ext}, {model}, {task}" in str(caught.value)


def test_stem_cannot_lead_out_either() -> None:
    assert Path("...jpg").stem == ".."
    with pytest.raises(UsageError, match="out of the output folder"):
        _name("{stem}/{model}{ext}", "...jpg")


@given(st.text(max_size=20), st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_no_name_lies_outside(text: str, name: str) -> None:
    try:
        path = Template(text, model="m", task="t").name(Path(name), ".jpg")
    except UsageError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.name
