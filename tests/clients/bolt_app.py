"""A real app of slack_bolt, on the port it is given, that acknowledges whatever Slack sends."""

import os
import re

from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web import WebClient

anything = re.compile(".*")
app = App(
    signing_secret=os.environ["SECRET"],
    client=WebClient(token="xoxb-1"),
    authorize=lambda **_: AuthorizeResult(
        enterprise_id=None, team_id="T0GARDEN", bot_token="xoxb-1", bot_id="B0BOLT", bot_user_id="U0BOLT"
    ),
)
app.event(anything)(lambda: None)
app.command(anything)(lambda ack: ack())
app.action(anything)(lambda ack: ack())
app.action({"type": "interactive_message", "callback_id": anything})(lambda ack: ack())
app.action({"type": "dialog_submission", "callback_id": anything})(lambda ack: ack())
app.action({"type": "dialog_cancellation", "callback_id": anything})(lambda ack: ack())
app.shortcut(anything)(lambda ack: ack())
app.view(anything)(lambda ack: ack())
app.view_closed(anything)(lambda ack: ack())
print("ready", flush=True)
app.start(port=int(os.environ["PORT"]))
