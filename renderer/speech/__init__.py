"""Narration: text or a recording becomes sound with timed words and phonemes."""
