"""Embedding: where bits go, and the smallest change that puts them there."""
