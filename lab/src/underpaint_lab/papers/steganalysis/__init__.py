"""Steganalysis networks: Ye-Net, Yedroudj-Net, the shipped detector."""
