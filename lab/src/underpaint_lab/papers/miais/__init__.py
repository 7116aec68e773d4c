"""MIAIS: recognition on containers."""
