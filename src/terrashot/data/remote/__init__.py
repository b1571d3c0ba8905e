"""Rasters that lie elsewhere: addresses, catalogues, and how GDAL reads over a network.

`address` is a file under an address, `places` turns what a user wrote into such files, `stac` asks
a catalogue for them, `access` has GDAL's settings, `patience` tries again.
"""
