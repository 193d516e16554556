"""Settings and data of a training that cannot be: one message that names the field and the value."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.errors import CimError, ConfigError, DataError  # noqa: E402
from pyspice_cim.training.fit import fit  # noqa: E402
from pyspice_cim.training.layers import LDLIFLayer  # noqa: E402
from pyspice_cim.training.settings import FitSettings  # noqa: E402

SETTINGS = FitSettings(shape=(4, 3, 2), steps=3, encoder=Encoder(kind="regular"), epochs=1, epochs_quantized=1, batch=4)
VALUES, LABELS = np.random.default_rng(0).random((6, 4)), np.arange(6) % 2


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("shape", (5,), "it must name the inputs and the neurons"),
        ("shape", (5, 0), "it must name the inputs and the neurons"),
        ("shape", (5, 2.5), "it must name the inputs and the neurons"),
        ("steps", 0, "a whole number, 1 or more"),
        ("batch", 0, "a whole number, 1 or more"),
        ("batch", 2.5, "a whole number, 1 or more"),
        ("epochs", -1, "a whole number, 0 or more"),
        ("epochs", True, "a whole number, 0 or more"),
        ("epochs_quantized", -1, "a whole number, 0 or more"),
        ("seed", -1, "a whole number, 0 to 9223372036854775807"),
        ("weight_bits", 1, "a whole number, 2 to 8"),
        ("membrane_bits", 17, "a whole number, 2 to 16"),
        ("learning_rate", math.nan, "a finite number, above 0 and at most 1"),
        ("learning_rate", 1e30, "a finite number, above 0 and at most 1"),
        ("learning_rate", 0.0, "a finite number, above 0 and at most 1"),
        ("learning_rate_quantized", -1e-3, "a finite number, above 0 and at most 1"),
        ("learning_rate_quantized", "fast", "a finite number, above 0 and at most 1"),
        ("rate_penalty", -0.5, "a finite number, 0 or more"),
        ("rate_penalty", math.inf, "a finite number, 0 or more"),
        ("label_smoothing", 2, "a finite number, 0 to 1"),
        ("label_smoothing", math.nan, "a finite number, 0 to 1"),
        ("decay", "linear", "choose one of clamp"),
        ("reset", "none", "choose one of subtract"),
    ],
)
def test_a_setting_out_of_range_is_named(field, value, words):
    with pytest.raises(ConfigError) as raised:
        replace(SETTINGS, **{field: value})
    assert str(raised.value).startswith(f"{field} is {value!r}; ") and words in str(raised.value)


NUMBERS = st.one_of(st.integers(-3, 300), st.floats(), st.booleans(), st.none(), st.just("text"))
CHANGED = [each.name for each in fields(FitSettings) if each.name not in ("shape", "encoder", "steps")]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(CHANGED), NUMBERS, max_size=3))
def test_settings_are_refused_by_name_or_can_be_trained(changes):
    """Whatever is not refused trains: two epochs at most, so that the test is short."""
    short = {name: value for name, value in changes.items() if "epochs" not in name or value in (0, 1, -1, None)}
    try:
        chosen = replace(SETTINGS, **short)
    except ConfigError as error:
        assert str(error).split()[0] in short
        return
    try:
        assert fit(VALUES, LABELS, chosen).shape == SETTINGS.shape
    except CimError as error:
        assert "rate_penalty" in str(error)


@pytest.mark.parametrize(
    ("values", "labels", "words"),
    [
        (VALUES[:0], LABELS[:0], "labels have shape (0,); give (samples,), one sample at least"),
        (VALUES, LABELS[:, None], "labels have shape (6, 1)"),
        (VALUES, LABELS + 0.5, "labels are float64, the first is 0.5; they must be integers"),
        (VALUES, LABELS > 0, "labels are bool, the first is False; they must be integers"),
        (VALUES, LABELS + 1, "labels are 1 to 2; the shape (4, 3, 2) has classes 0 to 1"),
        (VALUES, LABELS - 1, "labels are -1 to 0; the shape (4, 3, 2) has classes 0 to 1"),
        (
            VALUES[:, :3],
            LABELS,
            "values have shape (6, 3) and there are 6 labels; that does not fit the shape (4, 3, 2)",
        ),
        (VALUES[:5], LABELS, "values have shape (5, 4) and there are 6 labels"),
        (np.repeat(VALUES[:, None], 5, axis=1), LABELS, "give (6, 4) or (6, 3, 4)"),
        (np.full((6, 4), np.nan), LABELS, "values lie outside 0..1 (or are NaN)"),
    ],
)
def test_data_that_cannot_be_trained_on_are_named(values, labels, words):
    with pytest.raises(DataError) as raised:
        fit(values, labels, SETTINGS)
    assert words in str(raised.value)


def test_a_training_that_diverges_names_what_to_lower():
    words = r"learning_rate is 0.005 and rate_penalty 1e\+300: after epoch 1 .* lower them"
    with pytest.raises(ConfigError, match=words):
        fit(VALUES, LABELS, replace(SETTINGS, rate_penalty=1e300))


def test_a_layer_names_its_decay():
    with pytest.raises(ConfigError, match="decay is 'linear'; choose one of clamp"):
        LDLIFLayer(3, 2, decay="linear")
