"""Files and folders for the user alone who runs the gateway: what they hold is nobody else's business."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(path: Path) -> None:
    """Makes a folder and those above it where they are absent. Raises OSError."""
    for folder in (*reversed(path.parents), path):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def make_file(path: Path) -> None:
    """Makes an empty file where none is, and the folders above it. Raises OSError."""
    make_folder(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def close_to_others(paths: Iterable[Path]) -> dict[Path, bool]:
    """Takes files from everybody but their owner; which were open to others, and whether they are closed.

    A link is left alone: in a folder that others write to it may lead anywhere.
    """
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & OTHERS:
                with suppress(PermissionError):
                    path.chmod(stat.S_IMODE(mode) & ~OTHERS)
                found[path] = not path.lstat().st_mode & OTHERS
    return found


@contextmanager
def writing_to(path: str | Path) -> Iterator[None]:
    """Has the OSError of a file that was opened before say which one it is."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def writing_out() -> Iterator[None]:
    """Has an error of standard output say that it is one."""
    try:
        with writing_to("standard output"):
            yield
            sys.stdout.flush()
    except OSError:
        # Forgets what it could not take, or the interpreter tries again as it ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
