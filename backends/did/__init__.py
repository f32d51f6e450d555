"""D-ID, a paid cloud that makes portraits speak."""
