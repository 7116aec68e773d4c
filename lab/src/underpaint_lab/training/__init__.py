"""The training loop, run folders, recipes and losses."""
