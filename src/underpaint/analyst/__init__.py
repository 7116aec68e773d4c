"""Steganalysis: whether anyone would notice."""
