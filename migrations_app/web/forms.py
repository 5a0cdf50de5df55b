"""Forms: shape only. What a stage refuses is told at the field that its pointer names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from migrations_app.errors import Invalid
from migrations_app.models import Environment, Project, Target
from migrations_app.stages.waive import LONGEST_DAYS

TARGETS_OFFERED = 500
USUAL_DAYS = 30
EVERYWHERE = "*"  # no environment can be called so


def tell(form: forms.Form, error: Invalid, *, fields: Mapping[str, str] | None = None) -> None:
    """Puts the stage's errors beside their fields; `fields` names those that the page calls otherwise."""
    for wrong in error.errors:
        name = wrong.pointer.strip("/").split("/")[0]
        name = (fields or {}).get(name, name)
        form.add_error(name if name in form.fields else None, wrong.detail)
    if not error.errors:
        form.add_error(None, error.detail)


class TargetForm(forms.Form):
    slug = forms.SlugField(max_length=63, label="Name", help_text="Short, for people: shop-production.")
    project = forms.ModelChoiceField(Project.objects.all(), to_field_name="slug")
    environment = forms.ModelChoiceField(Environment.objects.all(), to_field_name="name")
    url = forms.CharField(
        label="URL",
        max_length=1000,
        help_text="postgresql://user:password@host:5432/database, or a reference: env:TIDEGATE_TARGET_NAME, file:PATH. "
        "The password is sealed and never shown again.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "code-field"}),
    )
    replicas = forms.CharField(
        required=False,
        help_text="One a line: its application_name, and its URL after a space when Tidegate may ask it directly.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def clean_replicas(self) -> list[dict[str, str]]:
        lines = [line.split() for line in self.cleaned_data["replicas"].splitlines() if line.strip()]
        return [{"name": parts[0], **({"url": parts[1]} if len(parts) > 1 else {})} for parts in lines]


class RolloutForm(forms.Form):
    """The targets on offer are those of one project, which the page asks for first."""

    targets = forms.ModelMultipleChoiceField(
        Target.objects.none(),
        to_field_name="slug",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one target."},
    )
    to = forms.CharField(
        max_length=200, initial="head", help_text="head, a revision, +1 for the next one, -1 for one back."
    )
    reason = forms.CharField(
        label="Why",
        help_text="Who decides reads this first. Link the change that needs it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    not_before = forms.DateTimeField(
        required=False,
        label="Not before",
        help_text="In your own time zone, which is the one that this page's times are in. Empty: as soon as started.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = project.targets.select_related("environment").order_by("environment__order", "slug")
        field = self.fields["targets"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = offered[:TARGETS_OFFERED] if not self.is_bound else offered
        if project.targets.count() > TARGETS_OFFERED:
            field.help_text = f"The first {TARGETS_OFFERED} targets of it. For more, the API takes a selector."
        field.label_from_instance = _target_label  # type: ignore[method-assign,assignment]  # Django's own hook for this


def _target_label(target: Target) -> str:
    pending = "not seen yet" if target.pending is None else f"{target.pending} pending"
    return f"{target.slug} ({target.environment}, {pending})"


class BackfillForm(forms.Form):
    target = forms.SlugField(max_length=63, help_text="The target's name.")
    table = forms.CharField(max_length=200, help_text="orders, or schema.orders")
    set = forms.CharField(
        label="Set",
        help_text="One a line: column = SQL expression.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    where = forms.CharField(
        required=False,
        help_text="Rows that still need it, for example: total_cents IS NULL. With it, a second run finds nothing.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    max_lag_s = forms.FloatField(
        required=False, min_value=0.1, label="Largest replica lag, s", help_text="Empty: what the environment says."
    )
    chunk_ms = forms.IntegerField(min_value=10, max_value=5000, initial=100, label="Time for one chunk, ms")
    reason = forms.CharField(label="Why", widget=forms.Textarea(attrs={"rows": 2}))

    def clean_set(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in filter(str.strip, self.cleaned_data["set"].splitlines()):
            column, equals, expression = (part.strip() for part in line.partition("="))
            if not (column and equals and expression):
                raise forms.ValidationError(f"Write column = expression, not: {line.strip()}")
            found[column] = expression
        return found


class LimitsForm(forms.Form):
    max_lag_s = forms.FloatField(min_value=0.1, max_value=3600, label="Largest lag, s")
    chunk_ms = forms.IntegerField(min_value=10, max_value=5000, label="Chunk, ms")


class WaiverForm(forms.Form):
    """One of these stands below each danger of a plan."""

    finding = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why this is safe",
        help_text="Whoever plans with it, and the audit, will read this.",
        error_messages={"required": "Say why this is safe: whoever plans with it will read it."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    environment = forms.ChoiceField(label="Where")
    expires_on = forms.DateField(
        label="Until the end of", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, environments: Sequence[str], today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        where = self.fields["environment"]
        assert isinstance(where, forms.ChoiceField)
        where.choices = [*((name, f"in {name} only") for name in environments), (EVERYWHERE, "in every environment")]
        last = today + timedelta(days=LONGEST_DAYS - 1)  # whose end is not yet too far away
        self.fields["expires_on"].widget.attrs |= {"min": today.isoformat(), "max": last.isoformat()}
        self.fields["expires_on"].initial = today + timedelta(days=USUAL_DAYS)

    def clean_environment(self) -> str | None:
        return None if self.cleaned_data["environment"] == EVERYWHERE else str(self.cleaned_data["environment"])

    def clean_expires_on(self) -> datetime:
        """The end of that day, in the reader's time zone."""
        day: date = self.cleaned_data["expires_on"]
        return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))
