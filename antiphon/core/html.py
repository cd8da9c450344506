"""HTML documents that need no other file and no network: head, style, pictures and players."""

from __future__ import annotations

import base64
from html import escape

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
figure { margin: 0; max-width: 100%; } figcaption { font-weight: 600; }
img { display: block; max-width: 100%; border-radius: 4px; }
audio { display: block; width: 100%; height: 36px; margin-top: 4px; }
.small { font-size: 13px; margin: 0; }
"""


def document(title: str, body: str, *, style: str = "", refresh: int = 0) -> str:
    """A whole page. title: plain text, which is its heading too. body: HTML. style: CSS beside STYLE. refresh: seconds
    after which a browser looks again; 0 for never."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    head = (
        f'<meta charset="utf-8">{again}<meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style>"
    )
    heading = f"<h1>{escape(title)}</h1>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{heading}\n{body}\n</body></html>\n'


def image(png: bytes, words: str, size: tuple[int, int] | None = None) -> str:
    """A PNG inside the page. words: plain text, for who cannot see it. size: (width, height) in pixels."""
    room = f' width="{size[0]}" height="{size[1]}"' if size else ""
    return f'<img src="{inside("image/png", png)}"{room} alt="{escape(words)}">'


def player(source: str) -> str:
    """What plays a sound: `inside` the page, or a file beside it."""
    return f'<audio controls preload="none" src="{escape(source)}"></audio>'


def inside(kind: str, content: bytes) -> str:
    """The address of content that the page holds itself. kind: its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
