"""Short scenes made as one remote job, where a service bills by blocks of time."""
