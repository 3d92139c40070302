"""Figures and tables, and the registry that knows them all."""
