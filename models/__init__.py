"""The tables and their queries. The classifier is gateway/triage."""

from models.database.base import close, connect, sqlite_path
from models.tables.alert_mute import AlertMute
from models.tables.asset import Asset
from models.tables.audit import Audit
from models.tables.callback import Callback, CallbackSecret
from models.tables.dedupe import Dedupe
from models.tables.delivery import Delivery
from models.tables.destination import Destination
from models.tables.event import Event
from models.tables.feed import Feed, FeedChange
from models.tables.feedback import Feedback
from models.tables.fetch import Fetch
from models.tables.hook import HookRow
from models.tables.job import Job
from models.tables.meaning import Meaning
from models.tables.mention import Mention
from models.tables.merge import Merge, MergeDismissal
from models.tables.notification import Notification, Quote
from models.tables.outbox import Outbox
from models.tables.outcome import Outcome
from models.tables.outgoing import Attempt, Outgoing
from models.tables.presence import Presence
from models.tables.project_head import ProjectHead, Unlearnt
from models.tables.quarantine import Quarantine
from models.tables.reply import Reply, Unsubscribed
from models.tables.run import Run
from models.tables.similarity import Signature, SignatureKey
from models.tables.theme import Theme, ThemeMember, ThemeRun
from models.tables.topic import Topic
from models.tables.trained_model import LearntModel
from models.tables.unclaimed_file import UnclaimedFile
from models.tables.user import Invite, SavedView, Session, User
from models.tables.workspace import ApiKey, Project, Workspace

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
    Meaning,
    User,
    Session,
    Invite,
    SavedView,
    ThemeRun,
    Theme,
    ThemeMember,
    LearntModel,
    ProjectHead,
    Unlearnt,
    Topic,
    Run,
    Asset,
    UnclaimedFile,
    Callback,
    CallbackSecret,
    Fetch,
    Destination,
    Outbox,
    Outgoing,
    Attempt,
    Notification,
    Quote,
    Feed,  # behind Feedback: triggers note what is written while there is one
    FeedChange,
    Reply,
    Unsubscribed,
    Merge,
    MergeDismissal,
    AlertMute,
    Mention,
    Presence,
)

__all__ = [
    "TABLES",
    "AlertMute",
    "ApiKey",
    "Asset",
    "Attempt",
    "Audit",
    "Callback",
    "CallbackSecret",
    "Dedupe",
    "Delivery",
    "Destination",
    "Event",
    "Feed",
    "FeedChange",
    "Feedback",
    "Fetch",
    "HookRow",
    "Job",
    "Invite",
    "LearntModel",
    "UnclaimedFile",
    "Meaning",
    "Merge",
    "MergeDismissal",
    "Mention",
    "Notification",
    "Outbox",
    "Outcome",
    "Outgoing",
    "Presence",
    "Project",
    "ProjectHead",
    "Quarantine",
    "Quote",
    "Reply",
    "Run",
    "Signature",
    "SignatureKey",
    "SavedView",
    "Session",
    "User",
    "Theme",
    "ThemeMember",
    "ThemeRun",
    "Topic",
    "Unlearnt",
    "Unsubscribed",
    "Workspace",
    "close",
    "connect",
    "sqlite_path",
]
