"""Fits as JSON text: what is read is checked before a fit is made of it."""

import json
from collections.abc import Sequence
from typing import Any

from crm_analysis.errors import SettingsError, listing
from crm_analysis.models.covariates import Design, Effect


def saved_content(text: object, model_name: str, needed: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a saved fit by name; refuse text that is no fit of this model, or only part of one."""
    if not isinstance(text, str | bytes):
        raise SettingsError(
            f"a {model_name} fit is read from the text that to_json returned, not {type(text).__name__}."
        )
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"this text is no JSON ({error}); write a fit with its to_json method.") from None
    if not isinstance(content, dict) or "model" not in content:
        raise SettingsError("this text holds no fit; write one with its to_json method.")
    model = content.pop("model")
    if model != model_name:
        raise SettingsError(f"this file holds a {model} fit, not a {model_name} fit.")
    absent = [name for name in needed if name not in content]
    if absent:
        raise damaged(model_name, f"it lacks {listing(absent)}")
    for name in ("log_likelihood", "number_of_customers", "penalty"):
        value = content.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise damaged(model_name, f"its {name} is {value!r}")
    return content


def saved_effect(content: dict[str, Any]) -> Effect:
    """Return one of the effects of a saved fit."""
    design = content["design"]
    levels = {name: tuple(known) for name, known in design["levels"].items()}
    return Effect(
        content["label"],
        content["signs"],
        Design(design["formula"], tuple(design["names"]), levels),
        tuple(content["coefficients"]),
    )


def damaged(model_name: str, why: str) -> SettingsError:
    """Return the error of a saved fit that cannot be read."""
    return SettingsError(f"this text holds a {model_name} fit that is not whole ({why}); write it with to_json again.")
