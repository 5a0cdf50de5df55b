"""Rehearsals: asked for, and done by a worker under a lease, on a copy of the target's schema on the scratch server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.db.models.functions import Now

from migrations_app import lifecycle
from migrations_app.engines import digest
from migrations_app.engines.postgres import catalog
from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.engines.rehearsal.rehearse import rehearse
from migrations_app.engines.rehearsal.schema_copy import copy_schema
from migrations_app.engines.rehearsal.scratch import Scratch
from migrations_app.engines.risk.rehearsed import Rehearsal as Rehearsed
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Conflict, Invalid, TargetUnreachable, TidegateError, Unprocessable
from migrations_app.models import Actor, Bundle, Rehearsal, Target
from migrations_app.models.rehearsals import recipe_of
from migrations_app.models.secrets import address_of, scratch_server
from migrations_app.models.status import RehearsalStatus

log = logging.getLogger(__name__)
WORKER = Actor.system("worker")
NAME = "tidegate:rehearse"
MAY_CREATE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
RENEW_S = 5.0
MOST_ATTEMPTS = 3
RETRY_S = 10
# What somebody who holds a table, or a server that restarts, brings about; a wrong schema or project stays wrong.
PASSING = frozenset({"target_unreachable", "rehearsal_no_copy"})


def ask(*, actor: Actor, target: Target, to: str = "head") -> Rehearsal:
    """The rehearsal of what is between the target and `to`: the one that holds, or a new one that waits for a worker.

    Raises Unprocessable (no_scratch_server, no_bundle, nothing_to_do), or what makes a plan impossible.
    """
    lifecycle.require(actor, "probe", target)
    scratch_server()
    project, bundle = target.project, target.project.bundle
    if bundle is None:
        raise Unprocessable(f"{project} has no files yet: upload a bundle, or give it a folder.", code="no_bundle")
    heads, schema = _stand(target, bundle)
    launch = Launch.from_json(project.launch)
    destination, direction = launch.destination(to)
    if direction != "upgrade":
        raise Invalid.field("/to", "Only upgrades are rehearsed; each is also taken down again while it is tried.")
    planned = spawn.plan(launch, bundle.unpack(), current=heads, destination=destination)
    if not planned.revisions:
        at = ", ".join(heads) or "nothing"
        raise Unprocessable(f"{target} is at {at}, so there is nothing to do to reach {to}.", code="nothing_to_do")
    with transaction.atomic():
        row, is_new = Rehearsal.objects.wanted(
            target,
            bundle,
            recipe_of(project.launch),
            fingerprint=schema,
            from_heads=heads,
            revisions=planned.revisions,
        )
        if is_new:
            lifecycle.record(actor, "rehearsal.asked", row, {"target": target.slug, "to": to})
            lifecycle.hint("rehearse", row.pk)
    return row


def _stand(target: Target, bundle: Bundle) -> tuple[tuple[str, ...], str]:
    """The heads and the schema's fingerprint of the target, now."""
    try:
        with connect(address_of(target), application_name=NAME, statement_timeout_ms=15_000) as conn:
            found = catalog.identity(conn)
            if (found.system_identifier, found.database_oid) != (target.system_identifier, target.database_oid):
                raise Unprocessable(f"Another database answers at the address of {target} than was registered.")
            return bundle.heads_on(conn), fingerprint(conn).sha256
    except psycopg.Error as error:
        state = error.sqlstate or "the connection was lost"
        raise TargetUnreachable(f"{target} could not be looked at ({state}). Try again in a moment.") from None


def check_server(server: Address) -> catalog.Identity:
    """Who answers there, once it is known to be of use. Raises Unreachable, or Unprocessable (no_scratch_server).

    Never the server of our own database: what is rehearsed was not approved by anybody, and none of it may come near
    the rows that say what is.
    """
    with connect(server, application_name=NAME) as conn:
        found = catalog.identity(conn)
        may_create = conn.execute(MAY_CREATE).fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        own = cursor.fetchone()
    if own == (found.system_identifier,):
        raise Unprocessable(
            "TIDEGATE_SCRATCH_URL names the server of Tidegate's own database. Revisions are rehearsed before anybody "
            "approved them, so give them a server of their own.",
            code="no_scratch_server",
        )
    if may_create != (True,) or found.is_standby:
        raise Unprocessable(
            f"No database can be made at {server}: give its role CREATEDB, and name a primary.",
            code="no_scratch_server",
        )
    return found


def sweep() -> list[str]:
    """Every rehearsal that has work and nobody working on it."""
    return list(Rehearsal.objects.due().values_list("pk", flat=True))


def work(*, rehearsal_id: str, owner: str) -> bool:
    """Does one, under the row's lease; False when there was nothing to do. Safe to lose, double or be late with."""
    epoch = Rehearsal.objects.due().claim(rehearsal_id, owner=owner, lease_s=settings.TIDEGATE_LEASE_S)
    if epoch is None:
        return False
    row = Rehearsal.objects.select_related("target", "bundle__project").get(pk=rehearsal_id)
    try:
        _Work(row, owner, epoch).go()
    finally:
        Rehearsal.objects.release(rehearsal_id, owner=owner, epoch=epoch)
    return True


@dataclass
class _Work:
    row: Rehearsal
    owner: str
    epoch: int

    def go(self) -> None:
        if self.row.attempts >= MOST_ATTEMPTS:
            self._end("failed", f"it was begun {self.row.attempts} times, and each time its worker was lost")
            return
        self._begin()
        try:
            with self._renewed():
                result = self._rehearse()
        except psycopg.Error as error:
            self._give_up(classify(error).advice, is_passing=True)
        except TidegateError as error:
            self._give_up(error.detail, is_passing=error.code in PASSING)
        except Exception:  # our own fault: told, instead of tried for ever in silence
            log.exception("a rehearsal failed", extra={"rehearsal": self.row.pk})
            self._give_up("Something failed inside Tidegate; the worker's log says what.", is_passing=False)
        else:
            self._keep(result)

    def _begin(self) -> None:
        attempts = self.row.attempts + 1
        if self.row.status == RehearsalStatus.RUNNING:
            reason = "taken over from a worker that was lost"
            lifecycle.touch(self.row, reason=reason, attempts=attempts)
            lifecycle.record(WORKER, "rehearsal.taken_over", self.row, {"reason": reason})
        else:
            reason = f"is tried on a copy of {self.row.target}'s schema"
            changes = {"attempts": attempts, "started_at": Now(), "not_before": None}
            lifecycle.advance(self.row, "running", actor=WORKER, reason=reason, **changes)

    def _rehearse(self) -> Rehearsed:
        row, bundle, project = self.row, self.row.bundle, self.row.bundle.project
        if recipe_of(project.launch) != row.recipe:
            raise Conflict(f"How {project} is started was changed since this was asked: ask again.")
        server, told = scratch_server(), bundle.interpreter
        check_server(server)
        with copy_schema(
            address_of(row.target),
            server,
            version_table=told["version_table"],
            version_table_schema=told["version_table_schema"],
        ) as scratch:
            self._require_same(scratch)
            return rehearse(Launch.from_json(project.launch), bundle.unpack(), scratch, row.revisions)

    def _require_same(self, scratch: Scratch) -> None:
        """The copy is of the schema, and at the heads, that were asked about: else it would be kept for others."""
        with connect(scratch.address, application_name=NAME) as conn:
            heads = sorted(self.row.bundle.heads_on(conn))
        if scratch.fingerprint != self.row.fingerprint or heads != self.row.from_heads:
            raise Conflict(f"The schema of {self.row.target} was changed since this was asked: ask again.")

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """Renews the lease from a thread of its own: the engine keeps this one for minutes."""
        over = threading.Event()

        def renew() -> None:
            try:
                while not over.wait(RENEW_S):
                    try:
                        if not self._renew():
                            return  # lost to another worker; what we find is not kept
                    except DatabaseError:
                        log.warning("a lease could not be renewed", extra={"rehearsal": self.row.pk}, exc_info=True)
            finally:
                connections.close_all()  # those of this thread

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _renew(self) -> bool:
        lease_s = settings.TIDEGATE_LEASE_S
        return Rehearsal.objects.renew(self.row.pk, owner=self.owner, epoch=self.epoch, lease_s=lease_s)

    def _keep(self, result: Rehearsed) -> None:
        found = result.to_json()
        self._end(
            "done",
            _told(result),
            result=found,
            digest=digest.of({"found": _timeless(found)}),
            server_version=result.server_version,
            notes=list(result.notes),
            duration_s=result.duration_s,
        )

    def _give_up(self, why: str, *, is_passing: bool) -> None:
        if not is_passing or self.row.attempts >= MOST_ATTEMPTS:
            self._end("failed", why)
            return
        with transaction.atomic():
            if self._renew():
                reason = f"{why} Tried again in {RETRY_S} s ({self.row.attempts} of {MOST_ATTEMPTS})."
                until = Now() + timedelta(seconds=RETRY_S)
                lifecycle.advance(self.row, "waiting", actor=WORKER, reason=reason, not_before=until)

    def _end(self, status: str, reason: str, **changes: Any) -> None:
        with transaction.atomic():
            # Locks the row: a worker that was given up for dead and comes late must not end it for the one after it.
            if self._renew():
                lifecycle.advance(self.row, status, actor=WORKER, reason=reason, finished_at=Now(), **changes)


def _told(result: Rehearsed) -> str:
    """How it went, in one sentence."""
    refused = next((each for each in result.revisions if each.up_error is not None), None)
    if refused is not None:
        return f"revision {refused.revision} fails: {refused.up_error}"
    changed = [each.revision for each in result.revisions if each.differences or each.down_error or each.again_error]
    changed += [each.revision for each in result.revisions if each.again_differences and each.revision not in changed]
    count = len(result.revisions)
    went = "1 revision went" if count == 1 else f"{count} revisions went"
    if changed:
        return f"{went} up; the way back does not restore the schema of: {', '.join(changed)}"
    return f"{went} up, down and up again: no difference"


def _timeless(value: Any) -> Any:
    """Without how long anything took, which is another time each time."""
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if not name.startswith("duration_")}
    return [_timeless(each) for each in value] if isinstance(value, list | tuple) else value
