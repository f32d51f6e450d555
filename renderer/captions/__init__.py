"""Captions: words become cues, cues become burnt letters and sidecar files."""
