"""Reading tiles, the few-shot layout, transforms, the data module, the demo set, checks."""
