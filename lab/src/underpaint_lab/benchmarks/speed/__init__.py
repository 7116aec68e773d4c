"""Seconds and memory of whole processes."""
