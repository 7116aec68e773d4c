"""Detectors on containers: tables on steganalysis."""
