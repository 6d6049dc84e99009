"""Texts in other languages than English, each folder's from its .po files."""

from __future__ import annotations

import gettext
import io
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "nl": "Nederlands"}


@cache
def catalogue(folder: Path, language: str) -> gettext.NullTranslations:
    """The words of a language, read from its .po file: it is all there is to translate, nothing is built."""
    path = folder / f"{language}.po"
    if not path.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def locale_of(language: str) -> Locale:
    """How dates and numbers are written in one of LANGUAGES."""
    return Locale.parse("en_GB" if language == "en" else language)
