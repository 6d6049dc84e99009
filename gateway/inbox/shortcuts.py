"""What keys do: the one list of it. Pages, the help, the command bar and docs/inbox.md are made of it.

A key presses the element of a page that is marked with `{{ pressed_by("NAME") }}`, or does what the script
has under its name (static/script/keys.js).
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

LIST, RECORD = "list", "record"
BOTH = (LIST, RECORD)


@dataclass(frozen=True)
class Shortcut:
    """What a key does, and on which pages; one with several keys does one of several things of a kind.

    `keys` are values of KeyboardEvent.key, "Control+k" with what is held. Who has a lesser `role` has no
    such element. `scripted` is on which pages no element is pressed.
    """

    name: str
    keys: tuple[str, ...]
    label: str
    where: tuple[str, ...] = BOTH
    role: str = "viewer"
    scripted: tuple[str, ...] = ()


SHORTCUTS = (
    Shortcut("next", ("j",), "next", scripted=(LIST,)),
    Shortcut("previous", ("k",), "previous", scripted=(LIST,)),
    Shortcut("open", ("Enter",), "open", (LIST,), scripted=(LIST,)),
    Shortcut("back", ("u",), "back to the list", (RECORD,)),
    Shortcut("choose", ("x",), "choose", (LIST,), "triager", (LIST,)),
    Shortcut("choose_range", ("X",), "choose all from the last one to here", (LIST,), "triager", (LIST,)),
    Shortcut("choose_next", ("J",), "choose this one and the next", (LIST,), "triager", (LIST,)),
    Shortcut("choose_previous", ("K",), "choose this one and the previous", (LIST,), "triager", (LIST,)),
    Shortcut("choose_all", ("A",), "choose all shown, then all that match", (LIST,), "triager", (LIST,)),
    Shortcut("clear", ("Escape",), "choose none", (LIST,), "triager", (LIST,)),
    Shortcut("resolve", ("e",), "resolve", role="triager"),
    Shortcut("acknowledge", ("y",), "acknowledge", role="triager"),
    Shortcut("ignore", ("i",), "ignore", role="triager"),
    Shortcut("reopen", ("o",), "reopen", role="triager"),
    Shortcut("category", ("1", "2", "3", "4", "5"), "set the category", role="triager"),
    Shortcut("sentiment", ("6", "7", "8"), "set the sentiment", role="triager"),
    Shortcut("topic", ("t",), "set the topic", role="triager"),
    Shortcut("tags", ("g",), "add or remove tags", role="triager"),
    Shortcut("assign", ("a",), "assign to somebody: Enter takes it oneself", role="triager"),
    Shortcut("snooze", ("b",), "snooze", role="triager"),
    Shortcut("impact", ("m",), "set the impact", (RECORD,), "triager"),
    Shortcut("note", ("n",), "write a note", role="triager"),
    Shortcut("reply", ("r",), "answer the author", (RECORD,), "triager"),
    Shortcut("file", ("f",), "add a file", (RECORD,), "triager"),
    Shortcut("copy", ("c",), "copy it as Markdown", (RECORD,)),
    Shortcut("merge", ("d",), "merge what says the same", role="triager"),
    Shortcut("undo", ("z",), "undo", role="triager"),
    Shortcut("search", ("/",), "search", (LIST,)),
    Shortcut("help", ("?",), "this help", scripted=BOTH),
    Shortcut("commands", ("Control+k", "Meta+k"), "find a command, a view or a page", scripted=BOTH),
)
# The shortcut that gives a record a status.
OF_STATUS = {"open": "reopen", "acknowledged": "acknowledge", "resolved": "resolve", "ignored": "ignore"}
BY_NAME = {one.name: one for one in SHORTCUTS}
# What is written on keys that have no character, and between two that are held together.
_CAPS = {"Control": "Ctrl", "Meta": "Cmd", "Escape": "Esc"}


def pressed_by(name: str, number: int = 1) -> Markup:
    """The attributes of an element that is pressed by a key; of several keys by the one of this number."""
    pressed = escape(BY_NAME[name].keys[number - 1])
    return Markup(f'data-key="{pressed}" aria-keyshortcuts="{pressed}"')


def caps(one: Shortcut) -> list[str]:
    """What is written on the keys of a shortcut: a capital is typed with Shift."""
    return ["+".join(map(_cap, pressed.split("+"))) for pressed in one.keys]


def table() -> str:
    """The shortcuts as a table in Markdown."""
    rows = [("key", "where", "does"), ("---", "---", "---")]
    for one in SHORTCUTS:
        written = caps(one)
        several = f"`{written[0]}` to `{written[-1]}`"
        shown = several if len(written) > 2 else ", ".join(f"`{cap}`" for cap in written)
        rows.append((shown, ", ".join(one.where), one.label))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cap(pressed: str) -> str:
    capital = len(pressed) == 1 and pressed.isupper()
    return f"Shift+{pressed.lower()}" if capital else _CAPS.get(pressed, pressed)
