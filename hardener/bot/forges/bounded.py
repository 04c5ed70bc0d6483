"""An answer of a forge is read up to bounds, also where it is small until it is unpacked. Knows no forge, and not what it says.

A server that is hostile, or stands before another, may send without end; `requests` would hold all of it in memory.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from hardener.bot.forge import ForgeError, Unavailable

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

#: Bytes of one answer. The largest that there is for a reason is a file of 100 MB at GitHub, as base64.
MOST = 160 * 1024 * 1024
#: Bytes of one that is taken in pieces, as they are sent, and the seconds that it may take.
MOST_IN_PIECES, LONGEST = 512 * 1024 * 1024, 240.0
#: Asks that nothing be packed once more on the way: what is taken in pieces is not unpacked here.
AS_IT_IS = {"Accept-Encoding": "identity"}
_PIECE = 1 << 16


def bounded(**options: Any) -> HTTPAdapter:
    """What carries requests, and reads each answer up to `MOST`; it raises a `ForgeError` beyond that.

    One that is streamed is left to who asked for it, unless it is none of success: clients read those to the end, to tell why.
    `options` are those of `requests.adapters.HTTPAdapter`.
    """
    from requests.adapters import HTTPAdapter

    class Bounded(HTTPAdapter):
        def send(self, request: Any, stream: bool = False, *args: Any, **more: Any) -> requests.Response:
            answer = super().send(request, stream, *args, **more)
            if not stream or answer.status_code >= 300:
                answer._content = _content(answer)
            return answer

    return Bounded(**options)


def bind(session: requests.Session, **options: Any) -> None:
    """Have a session read no answer further."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, bounded(**options))


def pieces(answer: requests.Response) -> Generator[bytes, None, None]:
    """What a streamed answer says, as it is sent, in pieces; it is closed at the end.

    Raises `Unavailable` where it is cut off, and `ForgeError` where it is too much, or takes too long.
    """
    from time import monotonic

    import requests
    import urllib3

    end, left = monotonic() + LONGEST, MOST_IN_PIECES
    # What is there, however little: to wait for a full piece may take a timeout for each of its bytes. urllib3 1 has no such way.
    read = getattr(answer.raw, "read1", None)
    try:
        while piece := read(_PIECE, decode_content=False) if read else answer.raw.read(1 << 10, decode_content=False):
            left -= len(piece)
            if left < 0:
                raise ForgeError(f"the forge's answer has more than {MOST_IN_PIECES >> 20} MiB")
            if monotonic() > end:
                raise ForgeError(f"the forge's answer takes more than {LONGEST:.0f} s")
            yield piece
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
        raise Unavailable("the forge's answer broke off", "run again later") from None
    finally:
        answer.close()


def _content(answer: requests.Response) -> bytes:
    data = bytearray()
    for piece in answer.iter_content(_PIECE):
        data += piece
        if len(data) > MOST:
            answer.close()
            raise ForgeError(f"the forge's answer has more than {MOST >> 20} MiB", "see what stands at its address")
    return bytes(data)
