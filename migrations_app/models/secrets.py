"""Connection URLs at rest: sealed for exactly one row and field, or a reference that is resolved when it is used."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from migrations_app.engines import sealing
from migrations_app.engines.postgres.address import Address, parse
from migrations_app.engines.postgres.replication import ExpectedReplica
from migrations_app.errors import Invalid, Unprocessable
from migrations_app.models.targets import Replica, Target


@lru_cache(maxsize=1)
def _keys(text: str) -> sealing.Keys:
    return sealing.Keys.parse(text)


def _bound_to(row: Target | Replica) -> str:
    return f"{row._meta.model_name}|{row.pk}|url"


def put_url(row: Target | Replica, url: str) -> Address:
    """Sets the row's url_sealed and address, unsaved. Raises Invalid when the URL, or what it refers to, is no good."""
    address = parse(sealing.resolve(url) if sealing.is_reference(url) else url)
    keys = _keys(settings.TIDEGATE_KEYS)
    row.url_sealed = url if sealing.is_reference(url) else sealing.seal(url, keys=keys, bound_to=_bound_to(row))
    row.address = address.redacted
    return address


def address_of(row: Target | Replica) -> Address:
    """Where the row's database is, password included. Raises SealBroken or Invalid; neither repeats the secret."""
    stored = row.url_sealed
    if sealing.is_reference(stored):
        return parse(sealing.resolve(stored))
    return parse(sealing.unseal(stored, keys=_keys(settings.TIDEGATE_KEYS), bound_to=_bound_to(row)))


def expected_replicas(target: Target) -> list[ExpectedReplica]:
    """The replicas that must keep up, with their addresses where we know them."""
    return [ExpectedReplica(row.name, address_of(row) if row.url_sealed else None) for row in target.replicas.all()]


def scratch_server() -> Address:
    """The server on which rehearsals make their databases. Raises Unprocessable when none is configured."""
    if not settings.TIDEGATE_SCRATCH_URL:
        raise Unprocessable(
            "Rehearsals need a PostgreSQL server to try things on, and none is configured. Set TIDEGATE_SCRATCH_URL to "
            "a role with CREATEDB on a server of its own (docs/how-to/rehearse.md), then start Tidegate again.",
            code="no_scratch_server",
        )
    try:
        return parse(settings.TIDEGATE_SCRATCH_URL)
    except Invalid as error:
        raise Unprocessable(f"TIDEGATE_SCRATCH_URL: {error.detail}", code="no_scratch_server") from None
