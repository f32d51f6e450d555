"""What is done about failure: pure decisions over an injected clock. Nothing here does I/O."""
