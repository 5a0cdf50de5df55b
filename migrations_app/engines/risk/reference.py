"""docs/reference/rules.md, drawn from the rules themselves."""

from __future__ import annotations

from migrations_app.engines.risk.findings import Rule
from migrations_app.engines.risk.registry import RULES

_SEVERITIES = {
    "danger": ("Dangers", "A person has to approve them, unless the catalog shows that nothing is lost."),
    "hazard": ("Hazards", "They are reported; nobody has to approve them."),
    "advice": ("Advice", "What a careful reviewer would mention. It is shown, and counts for nothing."),
}
_WITHOUT_RULE = {
    "Type changes that neither rewrite nor scan": "They are safe, so nothing is said about them: longer varchar,"
    " varchar to text, a larger numeric of the same scale.",
    "Storage parameters, statistics targets, comments": "They take a lock that only other DDL waits for.",
    "idle_in_transaction_session_timeout, application_name": "The runner sets both for each run.",
    "Long and prepared transactions, anti-wraparound vacuum": "They are there at one moment and gone at the next:"
    " looked for before a run, not in an analysis.",
    "IF [NOT] EXISTS left out": "A revision runs once, in a transaction, and the version table knows. With it, a table"
    " that differs goes unnoticed: that has a rule (if-not-exists-drift).",
    "Privileges missing on new objects": "It would take the grants of the tables beside it and the default privileges,"
    " which are not read yet.",
    "Type changes that break only a function's body": "Variables and RETURN QUERY are not checked for their types:"
    " change-type-visible says the general part.",
    "Several heads": "The planner refuses `head` then, and asks which one.",
    "A revision that was edited after it had been applied": "A plan holds what is still to run. Each bundle keeps the"
    " SHA-256 of every revision, but nothing compares it with the one that was applied yet.",
}


def markdown() -> str:
    """The whole page. A test keeps docs/reference/rules.md equal to it."""
    lines = [
        "# Risk rules",
        "",
        f"The {len(RULES)} rules of the risk engine. A rule's id is the name of its file in"
        " `migrations_app/engines/risk/rules/`;",
        "an example that fires it and one that does not are in `tests/rules/<rule-id>/`. A severity is the usual one:",
        "on a table that the catalog proves to be empty a loss or a scan is only advice.",
    ]
    for severity, (title, meaning) in _SEVERITIES.items():
        rules = [rule for rule in RULES.values() if rule.severity == severity]
        lines += ["", f"## {title}", "", meaning]
        for rule in rules:
            lines += ["", f"### {rule.id}", "", f"{rule.what} {rule.why}", "", f"Safe way: {_safe_way(rule)}"]
    lines += ["", "## No rule, and why", ""]
    lines += [f"- **{what}.** {why}" for what, why in _WITHOUT_RULE.items()]
    return "\n".join(lines) + "\n"


class _Words(dict[str, str]):
    """Any other value of a rule's text stands for itself."""

    def __missing__(self, key: str) -> str:
        return f"the_{key}"


def _safe_way(rule: Rule) -> str:
    return rule.safe_way.format_map(_Words(table="the_table", table_name="the_table"))
