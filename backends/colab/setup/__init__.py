"""What the notebook does on its machine: install, look, try, serve."""
