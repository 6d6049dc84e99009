"""What the audit trail says was done, in people's words; the API has the names themselves."""

from __future__ import annotations

from gateway.inbox.i18n import _

ACTIONS = {
    "attachment.deleted": "deleted a file",
    "author.erased": "erased an author",
    "author.exported": "exported all that is held about an author",
    "callback_secret.rotated": "rotated the secret of callbacks",
    "destination.changed": "changed a destination",
    "destination.created": "made a destination",
    "destination.deleted": "ended a destination",
    "destination.disabled": "disabled a destination",
    "destination.forgotten": "forgot deliveries of a destination",
    "destination.replayed": "sent deliveries of a destination again",
    "destination.rotated": "rotated the secret of a destination",
    "feed.began": "began to read the feed of changes",
    "feed.ended": "ended the feed of changes",
    "feedback.deleted": "deleted records",
    "hook.changed": "changed a hook",
    "hook.created": "made a hook",
    "hook.deleted": "ended a hook",
    "hook.rotated": "rotated the secret of a hook",
    "key.created": "made a key",
    "key.revoked": "revoked a key",
    "key.rotated": "rotated a key",
    "learning.asked": "had a project learn",
    "learning.done": "a project learnt",
    "learning.forgotten": "had a project forget what it learnt",
    "lesson.learnt_again": "had a lesson learnt again",
    "lesson.taken_back": "took a lesson back",
    "model.chosen": "chose a model",
    "model.trained": "a model learnt",
    "model.training_asked": "had the model learn",
    "project.changed": "changed a project",
    "project.created": "made a project",
    "quarantine.discarded": "discarded held deliveries",
    "quarantine.replayed": "replayed held deliveries",
    "retention.applied": "removed what was kept long enough",
    "run.cancelled": "cancelled a run",
    "run.started": "started a run",
    "theme.answered": "wrote to the authors of a theme",
    "theme.answers_taken_back": "took back what was written to the authors of a theme",
    "topic.changed": "changed a topic",
    "topic.created": "made a topic",
    "topic.merged": "merged a topic into another",
    "topic.removed": "removed a topic",
    "user.created": "a person came in by a link",
    "user.invited": "invited somebody",
    "user.link_made": "asked for a link to a new password",
    "user.password_changed": "changed the own password",
    "user.password_reset": "set a new password by a link",
    "user.role_changed": "gave somebody another role",
    "user.signed_in": "signed in",
    "user.tied": "an account was tied to the provider",
    "user.untied": "untied an account from the provider",
    "workspace.changed": "changed the workspace",
}


def action(name: str) -> str:
    """What was done, in the reader's language; what is not known stays as it is."""
    return _(ACTIONS[name]) if name in ACTIONS else name
