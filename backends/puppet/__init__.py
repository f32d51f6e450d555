"""The embedded presenter: a portrait that speaks, on the CPU, without network, key or download."""
