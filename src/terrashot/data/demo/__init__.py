"""The synthetic demo set: seeded aerial scenes in the few-shot layout."""

from terrashot.data.demo.make import make_demo
from terrashot.data.demo.scene import render_scene

__all__ = ["make_demo", "render_scene"]
