"""An answer of a forge is read up to a bound, also where it is small until it is unpacked. Knows no forge, and not what it says.

A server that is hostile, or stands before another, may send without end; `requests` would hold all of it in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.bot.forge import ForgeError

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

#: Bytes of one answer. The largest that there is for a reason is a file of 100 MB at GitHub, as base64.
MOST = 160 * 1024 * 1024
_PIECE = 1 << 16


def bounded(**options: Any) -> HTTPAdapter:
    """What carries requests, and reads each answer that is not streamed up to `MOST`; it raises a `ForgeError` beyond that.

    `options` are those of `requests.adapters.HTTPAdapter`.
    """
    from requests.adapters import HTTPAdapter

    class Bounded(HTTPAdapter):
        def send(self, request: Any, stream: bool = False, *args: Any, **more: Any) -> requests.Response:
            answer = super().send(request, stream, *args, **more)
            if not stream:
                answer._content = _content(answer)
            return answer

    return Bounded(**options)


def bind(session: requests.Session, **options: Any) -> None:
    """Have a session read no answer further."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, bounded(**options))


def _content(answer: requests.Response) -> bytes:
    data = bytearray()
    for piece in answer.iter_content(_PIECE):
        data += piece
        if len(data) > MOST:
            answer.close()
            raise ForgeError(f"the forge's answer has more than {MOST >> 20} MiB", "see what stands at its address")
    return bytes(data)
