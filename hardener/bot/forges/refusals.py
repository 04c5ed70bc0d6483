"""What all forges' refusals have: a stranger's words, and when to ask again. Knows no forge, and not why it refuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hardener.render.summary import clean

#: No limit of a forge lasts longer, whatever it says.
LONGEST_WAIT = timedelta(days=1)


def one_line(words: str, token: str, most: int) -> str:
    """A stranger's words in one line of about `most` characters, which steers no terminal and does not have the token in it."""
    line = " ".join((words.replace(token, "***") if token else words).split())
    return clean(line if len(line) <= most else f"{line[:most]}…")


def retry_after(value: str, now: datetime) -> datetime | None:
    """When a `Retry-After` allows to ask again, in UTC: seconds or a date (RFC 9110, 10.2.3). None for what is neither."""
    from email.utils import parsedate_to_datetime

    if re.fullmatch("[0-9]{1,9}", value):
        return now + min(timedelta(seconds=int(value)), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(value)
        return min(date if date.tzinfo else date.replace(tzinfo=UTC), now + LONGEST_WAIT)
    except (ValueError, OverflowError):
        return None
