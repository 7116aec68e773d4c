"""Distortion costs of adaptive steganography: HILL, HUGO, wavelets (S-UNIWARD, WOW)."""
