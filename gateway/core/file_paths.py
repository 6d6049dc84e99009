"""Where the gateway's own files are on this host, by its settings."""

from __future__ import annotations

from pathlib import Path

from models.database.base import is_embedded, sqlite_path


class FilePaths:
    """The folders and files of a Config, whose settings it reads."""

    __slots__ = ()

    database_url: str
    data_dir: str
    files_dir: str
    model: str

    @property
    def embedded(self) -> bool:
        """Whether the database is a file of ours."""
        return is_embedded(self.database_url)

    @property
    def data_path(self) -> Path:
        """Where this host's own files are: beside the embedded database, unless GATEWAY_DATA_DIR says."""
        if self.data_dir:
            return Path(self.data_dir)
        return sqlite_path(self.database_url).parent if self.embedded else Path("var")

    @property
    def files_path(self) -> Path:
        """Where files that came with feedback are kept, unless they are kept elsewhere than on a disk."""
        return Path(self.files_dir) if self.files_dir else self.data_path / "files"

    @property
    def limits_path(self) -> Path:
        """Where rate limits are counted on this host: a file of its own."""
        stem = sqlite_path(self.database_url).stem if self.embedded else "gateway"
        return self.data_path / f"{stem}.limits"

    @property
    def failures_path(self) -> Path:
        """Where failed authentications are counted by address, beside the limits."""
        return self.limits_path.with_suffix(".failures")

    @property
    def queue_path(self) -> Path:
        """This host's queue of background work, beside the limits."""
        return self.limits_path.with_suffix(".queue")

    @property
    def own_files(self) -> list[Path]:
        """Every file that the gateway keeps on this host, there or not; those of `files_path` aside."""
        kept = [self.limits_path, self.failures_path, self.secret_path]
        for path in [self.queue_path, *([sqlite_path(self.database_url)] if self.embedded else [])]:
            kept += [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal", ".lock")]
        return kept

    @property
    def model_path(self) -> Path | None:
        """Directory of the triage model; None is the one shipped with the package."""
        return Path(self.model) if self.model else None

    @property
    def secret_path(self) -> Path:
        """Where the key that encrypts secrets is kept when GATEWAY_SECRET_KEY does not say it."""
        return self.data_path / "secret.key"
