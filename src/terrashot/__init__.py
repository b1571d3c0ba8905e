"""terrashot: generalized few-shot segmentation for land cover.

```python
import terrashot

base = terrashot.load("logs/stage1/latest")
model = base.adapt({"water": [(image, mask)]})
ids = model.predict(image)
terrashot.map_scene(model, "city.tif", "maps/")
model.save("adapted.ckpt")
```
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from terrashot.mapping.map_scene import map_scene
    from terrashot.model.model import Model, load

__version__ = "0.2.0"
__all__ = ["Model", "__version__", "load", "map_scene"]

_PLACES = {
    "Model": "terrashot.model.model",
    "load": "terrashot.model.model",
    "map_scene": "terrashot.mapping.map_scene",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of _PLACES
    """Import what is asked for: ``import terrashot`` alone takes no torch."""
    if name not in _PLACES:
        raise AttributeError(f"module 'terrashot' has no attribute '{name}'")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is, loaded or not."""
    return sorted({*globals(), *_PLACES})
