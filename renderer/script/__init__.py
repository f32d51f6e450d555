"""The scene script: its models, how it is read and what its mistakes are called."""
