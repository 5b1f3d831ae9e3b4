"""Settings of the documentation. Nothing is fetched while it is built, nor while it is read."""

import logging
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

logging.getLogger("alembic").setLevel(logging.WARNING)  # it greets when it is imported

import adql_functions  # noqa: E402 - found through the path set above
import commands  # noqa: E402
import functions  # noqa: E402
import rubin  # noqa: E402
import tables  # noqa: E402
import traceability  # noqa: E402
import views  # noqa: E402

from skyledger import __version__  # noqa: E402

project = "Skyledger"
author = "The Skyledger developers"
project_copyright = author
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
highlight_language = "none"

html_theme = "furo"
html_title = f"Skyledger {release}"
html_static_path = ["_static"]
html_css_files = ["skyledger.css"]
html_copy_source = False
html_show_sphinx = False


def write_pages(_app: Any = None) -> None:
    """Write the pages that are made from the dictionary, the commands, the SQL and the tests."""
    folder = HERE / "reference" / "generated"
    tables.write(folder / "tables")
    texts = {
        "adql-functions": adql_functions.page(),
        "commands": commands.page(),
        "functions": functions.page(),
        "rubin": rubin.page(),
        "traceability": traceability.page(traceability.demands(), traceability.proofs()),
        "views": views.page(),
    }
    for name, text in texts.items():
        path = folder / f"{name}.md"
        # A page that is the same stays untouched: Sphinx need not read it again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Make the generated pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
