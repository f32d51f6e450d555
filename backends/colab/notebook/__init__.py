"""Writes the notebook, with the part of the program that it needs packed inside."""
