"""The tables and their queries. The classifier is gateway/triage."""

from models.access import ApiKey, Project, Workspace
from models.audit import Audit
from models.base import close, connect, database, sqlite_path
from models.dedupe import Dedupe
from models.delivery import Delivery
from models.event import Event
from models.feedback import Feedback
from models.hook import HookRow
from models.job import Job
from models.learnt import LearntModel
from models.outcome import Outcome
from models.people import Invite, SavedView, Session, User
from models.quarantine import Quarantine
from models.signature import Signature, SignatureKey
from models.theme import Theme, ThemeMember, ThemeRun

TABLES = (
    Workspace,
    Project,
    ApiKey,
    Feedback,
    Event,
    Delivery,
    Dedupe,
    HookRow,
    Quarantine,
    Outcome,
    Job,
    Audit,
    Signature,
    SignatureKey,
    User,
    Session,
    Invite,
    SavedView,
    ThemeRun,
    Theme,
    ThemeMember,
    LearntModel,
)

__all__ = [
    "TABLES",
    "ApiKey",
    "Audit",
    "Dedupe",
    "Delivery",
    "Event",
    "Feedback",
    "HookRow",
    "Job",
    "Invite",
    "LearntModel",
    "Outcome",
    "Project",
    "Quarantine",
    "Signature",
    "SignatureKey",
    "SavedView",
    "Session",
    "User",
    "Theme",
    "ThemeMember",
    "ThemeRun",
    "Workspace",
    "close",
    "connect",
    "database",
    "sqlite_path",
]
