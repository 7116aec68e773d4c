"""Steganalysis: would anyone notice?"""
