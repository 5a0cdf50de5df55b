"""The rules as a page for people, from the same texts that findings carry."""

from __future__ import annotations

from migrations_app.engines.risk.registry import RULES

_SEVERITIES = {
    "danger": ("Dangers", "A person has to approve them, unless the catalog shows that nothing is lost."),
    "hazard": ("Hazards", "They are reported; nobody has to approve them."),
}


def markdown() -> str:
    """The whole page. A test keeps docs/reference/rules.md equal to it."""
    lines = [
        "# Risk rules",
        "",
        "What the risk engine looks for. The rule id is the name of its file in `migrations_app/engines/risk/rules/`;",
        "an example that fires it and one that does not are in `tests/rules/<rule-id>/`.",
    ]
    for severity, (title, meaning) in _SEVERITIES.items():
        lines += ["", f"## {title}", "", meaning]
        for rule in RULES.values():
            if rule.severity == severity:
                safe_way = rule.safe_way.replace("{table_name}", "the_table").replace("{table}", "the_table")
                safe_way = safe_way.replace("{column}", "the_column").replace("{name}", "the_name")
                lines += ["", f"### {rule.id}", "", f"{rule.what} {rule.why}", "", f"Safe way: {safe_way}"]
    return "\n".join(lines) + "\n"
