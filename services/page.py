"""Plain pages for browsers."""

import html

from starlette.responses import HTMLResponse

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}code,pre{font:14px/1.5 ui-monospace,monospace;background:#f3f4f6;
border-radius:4px}code{padding:.1em .3em}pre{padding:.8em 1em;overflow:auto}a{color:#0b57a4}
table{border-collapse:collapse}td,th{text-align:left;padding:.25em 1.2em .25em 0;
border-bottom:1px solid #ddd;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#14171a}
code,pre{background:#22272b}a{color:#7db7ff}td,th{border-color:#333}}
"""


def page(title: str, body: str) -> HTMLResponse:
    """Make a page; ``title`` is text, ``body`` is HTML."""
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>
<body>{body}
</body></html>""")
