"""The endpoints of the files of records."""

from __future__ import annotations

from adapters.common.multipart import MEDIA
from adapters.contract.description import Shape
from gateway.api.attachments import add_attachments, delete_attachment, list_attachments
from gateway.api.endpoint import Endpoint
from gateway.api.file_download import THUMBNAIL, download_file
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.attachments import Attached, Attachment, DownloadQuery, FilesForm
from gateway.files.kinds import KINDS

_ALL = "/gateway/v1/feedback/<feedback_id>/attachments"

ATTACHMENTS = (
    Endpoint(_ALL, list_attachments, Shape(answers={200: page_of(Attachment)})),
    Endpoint(
        _ALL,
        add_attachments,
        Shape(
            body=FilesForm,
            answers={200: Attached, 201: Attached},
            refusals=(413, 429),
            media=MEDIA,
        ),
        "POST",
        "ingest",
        takes_files=True,
    ),
    Endpoint(f"{_ALL}/<asset_id>", delete_attachment, Shape(answers={204: None}), "DELETE", "triage"),
    Endpoint(
        "/files/<asset_id>/<name>",
        download_file,
        Shape(
            query=DownloadQuery,
            answers={200: None, 304: None},
            shown_as=(*(kind.content_type for kind in KINDS), THUMBNAIL),
        ),
        linked=True,
    ),
)
