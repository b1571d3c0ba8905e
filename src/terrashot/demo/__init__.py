"""The synthetic demo set: seeded aerial scenes in the few-shot layout."""

from terrashot.demo.make import make_demo
from terrashot.demo.scene import render_scene

__all__ = ["make_demo", "render_scene"]
