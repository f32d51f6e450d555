"""Lip-sync programs of others, run as subprocesses: SadTalker first, more by declaration."""
