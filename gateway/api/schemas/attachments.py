"""What the files of records are asked for with, and how they are shown."""

from __future__ import annotations

from marshmallow import Schema

from adapters.common.native_answers import Attachment
from adapters.common.schemas import Text, one_of
from adapters.contract.description import Shown, binaries, listed, text
from adapters.contract.files import MOST_FILES
from gateway.api.file_download import SIZES


class RefusedFile(Shown):
    name = text()
    reason = text()


class Attached(Shown):
    """The files that are kept, and those that are not, with why."""

    data = listed(Attachment)
    refused = listed(RefusedFile)


class FilesForm(Schema):
    """A form of up to five parts `file`."""

    file = binaries(required=True, minItems=1, maxItems=MOST_FILES)


class DownloadQuery(Schema):
    size = Text(one_of(SIZES))
    exp = Text(metadata={"description": "When a signed address ends, in seconds since 1970."})
    sig = Text(metadata={"description": "The signature of a signed address."})
