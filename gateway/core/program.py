"""How this program is called, so that commands in messages can be typed as they stand."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

NAME = "feedback-gateway"
_COMMAND = re.compile(rf"(?:(?<=[`(])|^){NAME} (?=[a-z])", re.MULTILINE)
_PIP = re.compile(r"\bpip install ")


def typed(text: str) -> str:
    """A message for whoever runs this command: what it says to run is run with this very installation.

    A shell that would find another program, or none, is given the path. So is Python, for pip.
    """
    called = sys.argv[0]
    if Path(called).name != NAME or _same(shutil.which(NAME), called):
        return text
    text = _COMMAND.sub(lambda _: f"{called} ", text)
    return _PIP.sub(lambda _: f"{sys.executable} -m pip install ", text)


def _same(found: str | None, called: str) -> bool:
    try:
        return found is not None and os.path.samefile(found, called)
    except OSError:
        return False
