"""Tokens for callers of the API, and the accounts behind them."""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app import lifecycle
from migrations_app.errors import Invalid, Unauthenticated
from migrations_app.models import Actor, ApiToken, User

LONGEST_DAYS = 366
USED_RESOLUTION = timedelta(minutes=1)  # a write for every request would cost more than the request
# tg_<id>.<secret, 256 bits in 43 characters><CRC-32>: the checksum lets scanners and people tell one from a typo.
_TOKEN = re.compile(r"tg_(?P<id>[0-9a-f]{32})\.(?P<secret>[A-Za-z0-9_-]{43})(?P<crc>[0-9a-f]{8})")
_REFUSED = "The token is not valid, was revoked, or has expired. Make a new one with `manage.py token create`."


def create_token(
    *, actor: Actor, user: User, name: str, is_machine: bool = True, days: int = 90
) -> tuple[ApiToken, str]:
    """The token and its full text, which exists only in this answer. A person's token may approve, a machine's not."""
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid.field("/days", f"A token is valid for 1 to {LONGEST_DAYS} days.")
    if not name.strip():
        raise Invalid.field("/name", "Give the token a name, so that it can be told from others when it is revoked.")
    if actor.user_id != user.pk:
        lifecycle.require(actor, "configure", user)
    if actor.kind == "machine" and not is_machine:
        lifecycle.deny(actor, "token.created", user, "machine", "A machine's token cannot make a person's token.")
    pepper_id, pepper = next(_peppers())
    secret = secrets.token_urlsafe(32)
    row = ApiToken(user=user, name=name.strip(), is_machine=is_machine or user.is_machine, pepper_id=pepper_id)
    row.digest = _digest(pepper, secret)
    row.expires_at = timezone.now() + timedelta(days=days)
    with transaction.atomic():
        row.save(force_insert=True)
        details = {"user": user.get_username(), "name": row.name, "is_machine": row.is_machine, "days": days}
        lifecycle.record(actor, "token.created", row, details)
    text = f"tg_{row.pk.removeprefix('tok_')}.{secret}"
    return row, text + _crc(text)


def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """Ends it at once; to revoke twice is no error."""
    if actor.user_id != token.user_id:
        lifecycle.require(actor, "configure", token)
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=Now()):
            lifecycle.record(actor, "token.revoked", token, {"name": token.name})


def authenticate(text: str) -> tuple[User, ApiToken]:
    """Who holds this token. Raises Unauthenticated, in the same words whatever is wrong with it."""
    match = _TOKEN.fullmatch(text)
    if not match:
        raise Unauthenticated("This is no Tidegate token: it must be of the form tg_....")
    if not hmac.compare_digest(_crc(text[:-8]), match["crc"]):
        raise Unauthenticated("The token was cut or mistyped: its checksum does not fit.")
    row = ApiToken.objects.select_related("user").filter(pk=f"tok_{match['id']}").first()
    fits = _fits(row, match["secret"])
    if row is None or not fits or row.revoked_at or row.expires_at <= timezone.now() or not row.user.is_active:
        raise Unauthenticated(_REFUSED)
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - USED_RESOLUTION)
    if row.last_used_at is None or row.last_used_at < timezone.now() - USED_RESOLUTION:
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=Now())
    return row.user, row


def ensure_user(
    *, actor: Actor, username: str, password: str | None, roles: Sequence[str], is_machine: bool = False
) -> User:
    """The account with exactly these roles, made when it is not there. None leaves the password as it is."""
    user = User.objects.filter(username=username).first() or User(username=username)
    lifecycle.require(actor, "configure", user)
    is_new = user.pk is None
    user.is_machine = is_machine
    if password is not None:
        user.set_password(password)
    elif is_new:
        user.set_unusable_password()
    with transaction.atomic():
        user.save()
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        action = "user.created" if is_new else "user.updated"
        lifecycle.record(actor, action, user, {"username": username, "roles": sorted(roles), "is_machine": is_machine})
    return user


def _fits(row: ApiToken | None, secret: str) -> bool:
    """Compares even when there is no row, so that the time taken does not tell which ids exist."""
    peppers = dict(_peppers())
    pepper = peppers.get(row.pepper_id) if row else None
    expected = _digest(pepper or next(iter(peppers.values())), secret)
    return hmac.compare_digest(expected, row.digest if row else "-") and pepper is not None


def _digest(pepper: bytes, secret: str) -> str:
    return hmac.digest(pepper, secret.encode(), "sha256").hex()


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _peppers() -> Iterator[tuple[str, bytes]]:
    """(id, pepper) of the secret key and its fallbacks: the first is for new tokens, all of them check."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield _derived(key, "api token pepper id v1", 4).hex(), _derived(key, "api token pepper v1", 32)


@lru_cache(maxsize=8)
def _derived(key: str, purpose: str, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"tidegate {purpose}".encode()).derive(key.encode())
