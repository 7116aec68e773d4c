"""Settings of the documentation's site: Sphinx, MyST and Furo. `make docs` builds it, without the network."""

from __future__ import annotations

from underpaint import __version__

project = "underpaint"
project_copyright = "the authors of underpaint"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"underpaint {__version__}"
html_copy_source = False
nitpicky = False

# Links to headings, as GitHub writes them.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
