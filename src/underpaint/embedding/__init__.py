"""Embedding: transforms, quantisers and codes that change a cover as little as possible to carry bits."""
