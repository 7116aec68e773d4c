"""Payload to bits and back: keys, sealed frames and error correction."""
