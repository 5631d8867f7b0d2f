"""Sphinx settings of the site. `docs/build.py` lays out the pages and calls Sphinx."""

from __future__ import annotations

import sys
from pathlib import Path

from annlab._authoring import badges
from annlab._version import __version__

# Sphinx runs on a copy of this folder; the checkout is where annlab is imported from
ROOT = Path(sys.modules["annlab"].__file__).resolve().parent.parent

project = "annlab"
author = "the annlab authors"
copyright = "2026, the annlab authors; code BSD-3-Clause, text and pictures CC BY 4.0"
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_static"]
# a reference that leads nowhere stops the build (it runs with -W)
nitpicky = False
keep_warnings = True

# what readers see is what was stored and tested: nothing is executed here
nb_execution_mode = "off"
nb_merge_streams = True
# the front end of the widgets comes with the site; its own address would be another server
nb_ipywidgets_js = {"stored-widgets.js": {"defer": "defer"}}
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "html_image", "colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = "annlab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
# every function has a heading already
toc_object_entries = False
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "source_repository": badges.address(ROOT),
    "source_branch": badges.BRANCH,
    "top_of_page_buttons": [],
    "footer_icons": [],
    "light_css_variables": {"color-brand-primary": "#9a3412", "color-brand-content": "#0b5c9e"},
    "dark_css_variables": {"color-brand-primary": "#fdba74", "color-brand-content": "#7cc4ff"},
}
# docs/build.py copies the file to _static
mathjax_path = "mathjax/tex-chtml-full.js"
mathjax3_config = {"options": {"enableMenu": False}, "chtml": {"displayAlign": "left"}}
