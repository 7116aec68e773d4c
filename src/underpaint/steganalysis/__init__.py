"""Steganalysis: detectors of hidden data in a single picture, by their names in the literature."""
