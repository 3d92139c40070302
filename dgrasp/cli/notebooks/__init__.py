"""Notebook sources, executed strictly, and when that is due."""
