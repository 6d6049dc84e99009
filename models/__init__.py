"""The tables and their queries. The classifier is gateway/triage."""

from models.access import ApiKey, Project, Workspace
from models.base import close, connect, database, sqlite_path
from models.dedupe import Dedupe
from models.event import Event
from models.feedback import Feedback

TABLES = (Workspace, Project, ApiKey, Feedback, Event, Dedupe)

__all__ = [
    "TABLES",
    "ApiKey",
    "Dedupe",
    "Event",
    "Feedback",
    "Project",
    "Workspace",
    "close",
    "connect",
    "database",
    "sqlite_path",
]
