"""Coding of payloads: keys, encrypted frames, compression and error correction."""
