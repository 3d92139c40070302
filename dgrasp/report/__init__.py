"""Figures, tables and widgets, and the registry that knows them all."""
