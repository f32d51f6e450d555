"""The film's sound: one PCM master of narration, effects and music at the asked loudness."""
