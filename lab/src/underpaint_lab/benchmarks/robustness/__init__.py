"""Bit errors and messages behind channels: tables on robust hiding."""
