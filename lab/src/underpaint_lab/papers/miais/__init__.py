"""MIAIS: faces and objects hidden in pictures and recognised there, published and ours, with attacks on it."""
