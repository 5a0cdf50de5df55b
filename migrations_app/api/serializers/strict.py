"""What every input obeys: a field that is not known is an error, and a time has a zone."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    """What goes out. Declared, so that the description of the API cannot differ from the answers."""


class Strict(Shape):
    """An unknown field is refused by name: one that is ignored would look as if it had been done."""

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        values: Any = {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors.update(error.detail if isinstance(error.detail, dict) else {})
        if isinstance(data, Mapping):
            errors.update({name: ["There is no field of this name."] for name in data if name not in self.fields})
        if errors:
            raise serializers.ValidationError(errors)
        return values


class Nothing(Strict):
    """A POST whose path says all."""


class Instant(serializers.DateTimeField):
    """A point in time: always with a zone, answered in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=dt.UTC, **kwargs)

    def to_internal_value(self, value: Any) -> dt.datetime:
        try:
            parsed = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:  # of the right form, but no day of any year
            parsed = None
        if parsed is None:
            raise serializers.ValidationError("Write a time as ISO 8601, such as 2030-01-31T22:00:00Z.")
        if parsed.tzinfo is None:
            raise serializers.ValidationError("This time has no zone: add Z for UTC, or an offset such as +02:00.")
        try:
            return parsed.astimezone(dt.UTC)
        except OverflowError:
            raise serializers.ValidationError("This time is too far away.") from None


class Number(serializers.FloatField):
    """A finite number: no limit stops a "nan", and `true` is not 1."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if isinstance(data, bool) or not math.isfinite(value):
            raise serializers.ValidationError("Write a finite number.")
        return value


class Name(serializers.RegexField):
    """A slug: what may stand in a URL."""

    def __init__(self, **kwargs: Any) -> None:
        wrong = "Use small letters, digits and dashes, beginning with a letter or digit."
        super().__init__(r"^[a-z0-9][a-z0-9_-]*$", max_length=63, error_messages={"invalid": wrong}, **kwargs)
