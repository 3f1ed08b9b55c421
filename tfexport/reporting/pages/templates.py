"""Environment of the page templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfexport.reporting.formatting import significant, with_interval

if TYPE_CHECKING:
    import jinja2


def environment(package: str) -> jinja2.Environment:
    """Return the Jinja environment for the templates of a package, with the style of all pages. Values are escaped.

    Args:
        package: Package that holds the templates.
    """
    import jinja2
    from markupsafe import Markup

    page = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, "."), jinja2.PackageLoader(__package__, ".")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"significant": significant, "with_interval": with_interval, "drawn": Markup}
    return page
