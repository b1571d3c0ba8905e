"""From an adapted head to maps of whole scenes."""
