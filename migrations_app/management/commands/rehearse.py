"""`rehearse TARGET`: tries what is pending on a copy of the target's schema, and shows what was found."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.management.base import CommandParser

from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.management import door, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.management.waiting import follow
from migrations_app.models import Rehearsal, Target
from migrations_app.stages import rehearse


class Command(Door):
    help = "Try the pending revisions on a copy of a target's schema: up, down and up again."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act)
        parser.add_argument("target")
        parser.add_argument("--to", default="head", help="head, a revision or +n (default: head)")
        parser.add_argument("--wait", type=float, default=900, metavar="S", help="seconds (default: 900)")

    def act(self, options: Options) -> Exit:
        """Failed, also when a revision did not go through: it would fail on the target as well."""
        target = door.one(Target.objects.select_related("project__bundle"), "target", slug=options["target"])
        row = rehearse.ask(actor=door.actor(options), target=target, to=options["to"])
        again = f"manage.py rehearse {target} --to {options['to']}"
        code = follow(row, wait_s=options["wait"], tell=self.tell, again=again)
        row = Rehearsal.objects.select_related("target").get(pk=row.pk)  # what it found came with its end
        self.show(options, shapes.rehearsal(row), _text(row))
        return Exit.FAILED if row.refusal(row.revisions) else code


def _text(row: Rehearsal) -> str:
    facts = {"rehearsal": row.pk, "target": row.target.slug, "status": row.status, "reason": row.reason}
    more = shapes.fields(row, "from_heads to_heads server_version duration_s notes")
    revisions = [line for each in (row.found.revisions if row.found else ()) for line in _revision(each)]
    return "\n".join([render.pairs({**facts, **more}), *revisions])


def _revision(found: RehearsedRevision) -> Iterator[str]:
    yield f"\n{found.revision}: {'down and up again: no difference' if found.is_reversible else 'look'}"
    for statement in found.up:
        told = statement.told()
        yield from (f"    {line}" for line in f"{told['sql'].strip()};".splitlines())
        locks = [f"{lock} on {table}" for table, lock in told["locks"].items()]
        locks += [f"rewrites {table}" for table in told["rewritten"]]
        if locks:
            yield f"      {', '.join(locks)}"
    troubles = {
        "fails": found.up_error,
        "its downgrade fails": found.down_error,
        "cannot be upgraded again": found.again_error,
        "may run other statements": found.why_not if not found.up_error else "",
    }
    yield from (f"  ! {what}: {trouble}" for what, trouble in troubles.items() if trouble)
    yield from (f"  ! after its downgrade: {difference}" for difference in found.differences)
    yield from (f"  ! upgraded again: {difference}" for difference in found.again_differences)
