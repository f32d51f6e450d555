"""The page beside a film: what was made, by whom, what fell back and what to do about it."""
