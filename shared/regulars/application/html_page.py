"""The frame of the pages that customers see: one file without scripts, pictures or cookies, readable in light and dark,
on small screens, by keyboard and aloud."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from regulars.application.http import HttpReply

_STYLE = (
    "body{margin:0;padding:3rem 1.5rem;background:#f4f4f2;color:#222;font:1.0625rem/1.5 system-ui,sans-serif}"
    "main{max-width:32rem;margin:0 auto;padding:2rem;background:#fff;border-radius:.5rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}"
    "button{font:inherit;font-weight:600;padding:.75rem 1.5rem;border:0;border-radius:.375rem;background:#1b4d3e;"
    "color:#fff;cursor:pointer}button:focus-visible{outline:3px solid #222;outline-offset:3px}"
    "fieldset{margin:0 0 1.5rem;padding:0;border:0}legend{padding:0;margin:0 0 .75rem}"
    ".scale{display:flex;flex-wrap:wrap;gap:.25rem .5rem}"
    ".scale label{display:flex;align-items:center;gap:.375rem;min-width:2.75rem;min-height:2.75rem}"
    "textarea{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;margin:.25rem 0 1.5rem;color:inherit;"
    "background:transparent;border:1px solid #777;border-radius:.375rem}"
    "input:focus-visible,textarea:focus-visible{outline:3px solid #1b4d3e;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}main{background:#222}"
    "button{background:#7fd1b9;color:#10241d}button:focus-visible{outline-color:#eee}"
    "input:focus-visible,textarea:focus-visible{outline-color:#7fd1b9}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


def html_page(
    status: int, title: str, content: str, *, shop_name: str, counter: str, language: str = "en"
) -> HttpReply:
    """A page of its own. `title` and `shop_name` are text, `content` is HTML already."""
    body = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - {escape(shop_name)}</title><style>{_STYLE}</style></head>"
        f'<body><main><h1 id="title">{escape(title)}</h1>{content}</main></body></html>'
    )
    return HttpReply(status=status, body=body, headers=_HEADERS, counters={counter: 1})
