"""Encoder and projection head."""
