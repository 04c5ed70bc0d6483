"""The site, built by MkDocs with one of its own themes, from pages that are given. Knows no page."""

from __future__ import annotations

import os
import tempfile

from hardener.errors import UsageError
from hardener.site.content import content

NAME = "harden"
ABOUT = "Containers with the least privilege that still works"
#: What only a folder that MkDocs made has.
_MARK = os.path.join("search", "search_index.json")
_LINKS = ("anchors", "absolute_links", "unrecognized_links")
_STYLE = "code.css"
#: Long lines of tables are wrapped: the theme would let them run out of sight.
_OWN_STYLE = """
.wy-table-responsive table td, .wy-table-responsive table th { white-space: normal; }
.rst-content table td a code { white-space: nowrap; }
.rst-content pre code { white-space: pre; }
"""


def build(out: str) -> None:
    """Build the whole site into a folder, which is emptied before.

    Raises `UsageError` where MkDocs is not there, where the folder holds something else than a site, and where MkDocs warns:
    of a link or an anchor that leads nowhere, or a page that nothing leads to.
    """
    if os.path.isdir(out) and os.listdir(out) and not os.path.exists(os.path.join(out, _MARK)):
        raise UsageError(f"{out}: there are other files than those of a site; name a new folder")
    try:
        from mkdocs.commands.build import build as build_site
        from mkdocs.config.defaults import MkDocsConfig
        from mkdocs.exceptions import MkDocsException
        from pygments.formatters import HtmlFormatter
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed: python3 -m pip install 'hardener[docs]'") from None
    made = content()
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**made.pages, _STYLE: HtmlFormatter().get_style_defs(".codehilite") + _OWN_STYLE}.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text)
        config = MkDocsConfig()
        config.load_dict(
            {
                "site_name": NAME,
                "site_description": ABOUT,
                "docs_dir": folder,
                "site_dir": os.path.abspath(out),
                "nav": made.nav,
                # Code is highlighted here: the theme would fetch a program for it from elsewhere.
                "theme": {"name": "readthedocs", "highlightjs": False, "titles_only": True, "navigation_depth": 3},
                "extra_css": [_STYLE],
                "markdown_extensions": [{"codehilite": {"guess_lang": False}}],
                "plugins": ["search"],
                # The pages are found without a server, too.
                "use_directory_urls": False,
                "strict": True,
                "validation": {
                    "nav": {"omitted_files": "warn"},
                    "links": {"anchors": "warn", "absolute_links": "warn", "unrecognized_links": "warn"},
                },
            }
        )
        errors, warnings = config.validate()
        if errors or warnings:
            raise UsageError(f"MkDocs does not take its configuration: {[*errors, *warnings]}")
        try:
            build_site(config)
        except MkDocsException as error:
            raise UsageError(f"MkDocs: {error}") from None
