"""Robust watermarking: short messages that survive compression, and the tables of pictures in pictures."""
