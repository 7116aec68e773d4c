"""BASN: the paper's attention networks, and the exact integer attention."""
