"""The immutable snapshot of a project's Alembic files: made once, named by its content, and only ever run from.

A bundle is a tar.gz of regular files. What of the history lies outside the project's folder (in site-packages, say) is
copied under `scripts/`, and `MANIFEST` says where each part came from, so that the child can point Alembic to the copy.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from migrations_app.engines.runner.limits import Limits
from migrations_app.errors import Invalid, TooLarge

MANIFEST = "tidegate-bundle.json"
SKIPPED_DIRS = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".idea", ".vscode"}
)
SKIPPED_ENDS = (".pyc", ".pyo", "_cache")
SECRET_FILES = frozenset({".env"})  # a bundle is shown to people: what it needs is declared in the recipe instead


@dataclass(frozen=True)
class Bundle:
    """`digest` covers the sorted (path, sha256 of content) of all `files`, and nothing else (no dates, no owners)."""

    digest: str
    archive: bytes
    files: Mapping[str, str]  # path -> sha256 in hex


def snapshot(
    source_dir: Path, *, alembic_ini: str = "alembic.ini", extra: Mapping[str, Path] | None = None, limits: Limits
) -> Bundle:
    """Reads the folder, and each place of `extra` ({origin as the manifest shall name it: folder}) that is outside it.

    Raises `Invalid` at /source/path or /alembic_ini, `TooLarge` beyond the limits.
    """
    root = source_dir.resolve()
    if not root.is_dir():
        raise Invalid.field("/source/path", f"There is no folder {source_dir}, or Tidegate may not read it.")
    if alembic_ini and not (root / alembic_ini).is_file():
        raise Invalid.field("/alembic_ini", f"There is no {alembic_ini} in {source_dir}.")
    contents = _read(root, "", limits)
    origins: dict[str, str] = {}
    for origin, place in sorted((extra or {}).items()):
        if place.resolve().is_relative_to(root):
            continue
        origins[origin] = f"scripts/{len(origins)}"
        contents.update(_read(place.resolve(), origins[origin] + "/", limits))
    if origins:
        contents[MANIFEST] = json.dumps({"origins": origins}, indent=1, sort_keys=True).encode()
    _check_size(contents, limits)
    files = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(contents.items())}
    return Bundle(digest_of(files), _archive(contents), files)


def digest_of(files: Mapping[str, str]) -> str:
    lines = "".join(f"{path}\0{sha256}\n" for path, sha256 in sorted(files.items()))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def receive(archive: bytes, *, limits: Limits) -> Bundle:
    """A tar.gz that somebody uploaded, made into a bundle of ours: same rules, same digest as from a folder."""
    with tempfile.TemporaryDirectory(prefix="tidegate-upload-") as folder:
        for path, data in _entries(archive, limits):
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        contents = _read(Path(folder).resolve(), "", limits)
    files = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(contents.items())}
    return Bundle(digest_of(files), _archive(contents), files)


def unpack(archive: bytes, digest: str, into: Path, *, limits: Limits | None = None) -> Path:
    """The folder of this bundle below `into`, read-only, made or re-verified. Raises `Invalid` when the archive is not
    what the digest says. A folder whose bytes were changed on disk is put aside and made anew."""
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = into / digest.replace(":", "-")
    if place.is_dir():
        with contextlib.suppress(OSError):
            if digest_of(_on_disk(place)) == digest:
                return place
        discard(place)
    contents = dict(_entries(archive, limits or Limits()))
    files = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    if digest_of(files) != digest:
        raise Invalid.field("/bundle", f"The archive does not hold what {digest} names. Read the source again.")
    fresh = Path(tempfile.mkdtemp(prefix=".unpack-", dir=into))
    for path, data in contents.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o444)
    for folder, _, _ in os.walk(fresh, topdown=False):
        Path(folder).chmod(0o555)
    try:
        fresh.rename(place)
    except OSError:  # another worker was first, with the same bytes
        discard(fresh)
    return place


def origins(bundle_dir: Path) -> dict[str, str]:
    """{where a part of the history came from: its folder in the bundle}."""
    manifest = bundle_dir / MANIFEST
    found: dict[str, str] = json.loads(manifest.read_bytes())["origins"] if manifest.is_file() else {}
    return found


def _read(root: Path, prefix: str, limits: Limits) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    size = 0
    for path in _walk(root, root, {root}):
        size += path.stat().st_size
        if size > limits.bundle_bytes or len(contents) >= limits.bundle_files:
            raise TooLarge(f"{root} is too large for a bundle ({_allowed(limits)}). Name the folder of the migrations.")
        contents[prefix + path.relative_to(root).as_posix()] = path.read_bytes()
    return contents


def _walk(folder: Path, root: Path, seen: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in SKIPPED_DIRS | SECRET_FILES or path.name.endswith(SKIPPED_ENDS):
            continue
        real = path.resolve()
        if path.is_symlink() and not real.is_relative_to(root):
            raise Invalid.field("/source/path", f"{path.relative_to(root)} is a link that leaves the folder.")
        if real.is_dir():
            if real not in seen:  # a link back up would never end
                yield from _walk(path, root, seen | {real})
        elif stat.S_ISREG(real.stat().st_mode):
            yield path


def _entries(archive: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    size = count = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isdir():
                    continue
                if not member.isreg() or path.is_absolute() or ".." in path.parts or "\\" in member.name:
                    raise Invalid.field("/bundle", f"{member.name[:200]!r} is not a plain file inside the archive.")
                size, count = size + member.size, count + 1
                if size > limits.bundle_bytes or count > limits.bundle_files:
                    raise TooLarge(f"The archive is too large for a bundle ({_allowed(limits)}).")
                stream = tar.extractfile(member)
                yield path.as_posix(), stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Invalid.field("/bundle", f"The archive cannot be read as tar.gz ({type(error).__name__}).") from None


def _check_size(contents: Mapping[str, bytes], limits: Limits) -> None:
    if sum(map(len, contents.values())) > limits.bundle_bytes or len(contents) > limits.bundle_files:
        raise TooLarge(f"The project and its history are too large for a bundle ({_allowed(limits)}).")


def _allowed(limits: Limits) -> str:
    return f"at most {limits.bundle_bytes // 1024**2} MiB in {limits.bundle_files} files"


def _archive(contents: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in sorted(contents.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o444
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def _on_disk(place: Path) -> dict[str, str]:
    files = {}
    for folder, folders, names in os.walk(place):
        for name in [*names, *(f for f in folders if (Path(folder) / f).is_symlink())]:
            path = Path(folder) / name
            plain = stat.S_ISREG(path.lstat().st_mode)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if plain else "not a file"
            files[path.relative_to(place).as_posix()] = sha256
    return files


def discard(place: Path) -> None:
    """Removes a folder that holds bundles, whose folders are read-only even to their owner."""
    for folder, _, _ in os.walk(place):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)
