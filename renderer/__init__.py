"""From a scene script to a finished film."""
