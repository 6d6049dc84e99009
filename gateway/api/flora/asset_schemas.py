"""What FLORA's asset routes take and answer, as its client types them."""

from __future__ import annotations

from marshmallow import fields

from adapters.common.schemas import Payload, Text, length
from adapters.contract.description import Shown, listed, text, time, whole
from adapters.flora import ProjectPage, identifier

STATUS = ("pending_upload", "ready", "failed")
WAYS = ("url", "signed_url", "direct")


class NewAsset(Payload):
    """`folder` and `content_type` are taken and not kept: what a file is, its bytes say."""

    source = Text(
        length(least=1, most=4_096),
        required=True,
        metadata={
            "description": "`signed-url` to upload the bytes afterwards, or where they are fetched from."
        },
    )
    workspace_id = Text(identifier("ws", "Workspace"), required=True)
    project_id = Text(identifier("prj", "Project"))
    file_name = Text(length(most=1_000))
    content_type = Text(length(most=200))
    folder = Text(length(most=1_000))


class AssetForm(Payload):
    """The fields of a form that brings the bytes in its part `file`."""

    workspace_id = Text(identifier("ws", "Workspace"), required=True)
    project_id = Text(identifier("prj", "Project"))
    file_name = Text(length(most=1_000))


class NewAssetForm(AssetForm):
    """That form, with the bytes."""

    file = Text(required=True, metadata={"format": "binary"})


class UploadForm(Payload):
    """What a reservation says, and the bytes in the part `file`."""

    expires = Text(required=True)
    signature = Text(required=True)
    file = Text(required=True, metadata={"format": "binary"})


class AssetPage(ProjectPage):
    workspace_id = Text(identifier("ws", "Workspace"))
    project_id = Text(identifier("prj", "Project"))
    query = Text(metadata={"description": "What an asset's name must contain."})


class Upload(Shown):
    """A form to post: all of `form_fields`, then the bytes as `file_field`."""

    content_type = text("multipart/form-data")
    file_field = text("file")
    form_fields = fields.Dict()
    method = text("POST")
    url = text()


class AssetState(Shown):
    """What became of an asset; `upload` is there while its bytes may be uploaded."""

    sometimes = ("expires_at", "failure_message", "upload", "upload_url")
    asset_id = text()
    status = text(*STATUS)
    uploaded_via = text()
    url = text(allow_none=True)
    visibility = text("workspace")
    workspace_id = text()
    failure_message = text(allow_none=True)
    expires_at = time()
    upload = fields.Nested(Upload)
    upload_url = text()


class AssetTold(Shown):
    asset_id = text()
    content_type = text()
    description = text(allow_none=True)
    height = fields.Integer(allow_none=True)
    name = text()
    project_id = text(allow_none=True)
    size_bytes = whole(minimum=0)
    status = text(*STATUS)
    upload_content_type = text(allow_none=True)
    uploaded_via = text()
    url = text(allow_none=True)
    width = fields.Integer(allow_none=True)
    workspace_id = text()


class AssetListed(AssetTold):
    created_at = whole()


class AssetShown(AssetTold):
    created_at = time()
    failure_message = text(allow_none=True)


class Following(Shown):
    next_cursor = text(allow_none=True)


class Assets(Shown):
    assets = listed(AssetListed)
    meta = fields.Nested(Following)
