"""The page: templates, styles and scripts of this folder put together into one HTML text."""

from dataclasses import fields
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terrashot.reporting.html import formats

_PACKAGE = "terrashot.reporting.html"


def render_page(template: str, report: Any) -> str:  # noqa: ANN401 - a report's data class
    """Fill a template with the fields of a report.

    All text is escaped by the templates; styles and scripts stand inline, so that the page needs
    neither a network nor a second file.

    Args:
        template: file name in ``templates/``.
        report: a data class; each field is a variable of the template.
    """
    values = {field.name: getattr(report, field.name) for field in fields(report)}
    return _environment().get_template(template).render(values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    for name in ("percent", "points", "seconds", "count"):
        environment.filters[name] = getattr(formats, name)
    return environment


def _asset(name: str) -> Markup:
    """A style or script of this package, as it is: our own text, not the user's."""
    return Markup(files(_PACKAGE).joinpath("static", name).read_text(encoding="utf-8"))
