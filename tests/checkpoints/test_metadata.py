from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.checkpoints.metadata import Measurement, Metadata, Training, from_text

FIGURES = st.dictionaries(
    st.sampled_from(["psnr_before", "psnr_after", "ssim_after"]),
    st.floats(allow_nan=False, allow_infinity=False) | st.just(math.inf),
)
METADATA = st.builds(
    Metadata,
    architecture=st.text(),
    config=st.dictionaries(st.text(), st.integers() | st.lists(st.integers()) | st.text()),
    parameters=st.integers(0),
    dtype=st.sampled_from(["float16", "float32"]),
    task=st.text(),
    trained_on=st.lists(st.text()).map(tuple),
    recipe=st.text(),
    training=st.none()
    | st.builds(Training, st.integers(0), st.floats(0, 1e6), st.none() | st.text()),
    measured=st.lists(
        st.builds(Measurement, st.text(), st.text(), st.dictionaries(st.text(), FIGURES))
    ).map(tuple),
    inference=st.fixed_dictionaries(
        {}, optional={"overlap": st.integers(0, 99), "match_mean": st.booleans()}
    ),
)


@settings(deadline=None, max_examples=50)
@given(METADATA)
def test_what_is_written_is_read_again_and_is_json_for_everyone(metadata: Metadata) -> None:
    text = metadata.to_text()
    assert all(isinstance(value, str) for value in text.values())
    json.loads(text["measured"], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert from_text(text) == metadata


def test_text_of_other_programs_says_nothing() -> None:
    assert from_text({"format": "pt"}) is None
    assert from_text({"architecture": "algnet", "config": "{}"}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config", "{"),
        ("training", '{"steps": 3}'),
        ("training", "7"),
        ("trained_on", "7"),
        ("measured", "[{}]"),
        ("inference", '{"overlap": -1}'),
        ("inference", "[7]"),
        ("measured", '[{"dataset": "a", "method": "b", "pictures": 3}]'),
    ],
)
def test_text_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    text = Metadata("algnet", {}, 1, "float16").to_text()
    with pytest.raises(ValueError, match=r"\w"):
        from_text({**text, name: value})


def test_files_of_earlier_versions_advise_nothing() -> None:
    told = Metadata("algnet", {}, 1, "float16", task="motion")
    text = told.to_text()
    del text["inference"]
    assert from_text(text) == told


def test_the_mean_is_over_pictures() -> None:
    measurement = Measurement("a", "b", {"1": {"psnr": 20.0}, "2": {"psnr": 23.0}})
    assert measurement.mean == {"psnr": 21.5}
    infinite = replace(measurement, pictures={**measurement.pictures, "3": {"psnr": math.inf}})
    assert infinite.mean == {"psnr": math.inf}


def test_lists_and_tables_are_json() -> None:
    text = Metadata("algnet", {"width": 4}, 12, "float16", trained_on=("a", "b")).to_text()
    assert json.loads(text["config"]) == {"width": 4}
    assert json.loads(text["trained_on"]) == ["a", "b"]
    assert text["recipe"] == ""
