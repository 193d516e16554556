"""What is written as TOML reads back the same."""

import tomllib

import pytest

from pyspice_cim.technology.toml_text import toml_text


def test_round_trip() -> None:
    data = {
        "name": 'a "quoted" name\\ with µ',
        "flag": True,
        "small": 1.5e-10,
        "whole": 3,
        "a key. with µ": 1,
        "pair": [0.5, 2.0],
        "one": {"x y": 1, "two": {"y": [1, 2], "three": {"z": {"deep": "yes"}}}, "empty": {}},
    }
    assert tomllib.loads(toml_text(data)) == data


def test_none_is_left_out() -> None:
    assert tomllib.loads(toml_text({"a": None, "b": {"c": None, "d": 1}})) == {"b": {"d": 1}}


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        toml_text({"a": 1j})
