"""Novel classes that a user names: they join the taxonomy of a stage-1 network."""

from collections.abc import Mapping, Sequence

from terrashot.errors import ConfigError
from terrashot.taxonomy import Taxonomy


def with_novel(known: Taxonomy, names: Sequence[str], colors: Mapping[str, str]) -> Taxonomy:
    """The classes of a network and the new ones after them, in the order given.

    Args:
        known: The network's classes.
        names: Of the novel classes.
        colors: ``#rrggbb`` by name; a class without one gets the next of a palette.

    Raises:
        ConfigError: no name, a name twice or of a base class, or a colour that is none.
    """
    base = known.base_only()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(
                f"support: {name!r} is no name of a class; give each novel class a name, for "
                "example {'water': [(image, mask)]}."
            )
        if name in base.names:
            raise ConfigError(
                f"support: '{name}' is a class that the network knows already; its classes are "
                f"{', '.join(base.names)}. Give novel classes other names."
            )
    stray = [name for name in colors if name not in names]
    if stray:
        raise ConfigError(
            f"colors names '{stray[0]}', but the novel classes are {', '.join(names)}. A colour "
            "belongs to one of these; base classes keep theirs."
        )
    value = base.to_dict()
    value["novel"] = [{"name": n, **({"color": colors[n]} if n in colors else {})} for n in names]
    return Taxonomy.from_dict(value)
