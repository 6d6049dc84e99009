"""The channels there are, and those that a record has."""

from __future__ import annotations

from gateway.replies.by_mail import EMAIL
from gateway.replies.channel import Channel, Row
from gateway.replies.in_discord import DISCORD
from gateway.replies.in_issues import GITHUB, GITLAB
from gateway.replies.in_slack import SLACK

CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (EMAIL, SLACK, DISCORD, GITHUB, GITLAB)}


def lacking(record: Row) -> dict[str, str]:
    """For each channel by name why a record cannot be answered by it, or ""."""
    return {name: channel.lacks(record) for name, channel in CHANNELS.items()}
