"""A page as a browser reads it, and what no page of ours has."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser


class Tree:
    """A page as a browser reads it: its elements with the names of their attributes, and where it leads."""

    def __init__(self, page: str) -> None:
        self.shape: set[tuple[str, tuple[str, ...]]] = set()
        self.faults: list[str] = []
        for node in LexborHTMLParser(page).root.traverse():  # type: ignore[union-attr]
            names = tuple(sorted(node.attributes))
            self.shape.add((node.tag or "", names))
            self._look(node, names)

    def _look(self, node: Any, names: tuple[str, ...]) -> None:
        """What no page of ours has, whatever it shows."""
        if any(name.startswith("on") or name in ("style", "srcdoc") for name in names):
            self.faults.append(f"an attribute of {node.html[:200]}")
        ours = node.tag == "template" and node.attributes == {"id": "toast"}
        if (
            node.tag in ("style", "iframe", "object", "embed", "base", "img", "template", "noscript")
            and not ours
        ):
            self.faults.append(f"an element {node.html[:200]}")
        if node.tag == "script" and not (node.attributes.get("src") or "").startswith("/inbox/static/"):
            self.faults.append(f"a script {node.html[:200]}")
        for name in {"href", "src", "action", "formaction", "data", "xlink:href"} & set(names):
            if not self._leads_well(node, node.attributes[name] or ""):
                self.faults.append(f"an address of {node.html[:300]}")

    @staticmethod
    def _leads_well(node: Any, address: str) -> bool:
        """Whether an address is a page of ours, or one on the web that learns nothing of us."""
        if address == "#main" or (address.startswith("/") and not address.startswith(("//", "/\\"))):
            return True
        parts = urlsplit(address)
        rel = (node.attributes.get("rel") or "").split()
        return (
            node.tag == "a"
            and parts.scheme in ("http", "https", "mailto")
            and {"noopener", "noreferrer"} <= set(rel)
        )


# What depends on the words: weights and their side, further links, how many of a thing there are.
OPEN = {
    ("table", ("class", "tabindex")),  # the groups in quarantine
    ("button", ("class", "data-sure", "formaction")),
    ("li", ("class", "title")),
    ("p", ("class", "data-chosen", "data-matching")),  # when there is more than a page shows
    ("li", ("title",)),
    ("a", ("href", "rel")),
    ("a", ("href",)),
    ("a", ("class", "href")),
    ("a", ("class", "href", "rel")),
    ("span", ()),
    ("span", ("class",)),
    ("span", ("title",)),
    ("dt", ()),
    ("dd", ()),
    ("dl", ("class",)),
    ("section", ("aria-labelledby",)),
    ("h2", ("id",)),
    ("b", ()),
    ("p", ("class",)),
    ("div", ("class", "dir")),
    ("ul", ("class",)),
    ("ul", ()),
    ("li", ()),
}
