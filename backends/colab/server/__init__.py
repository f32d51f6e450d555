"""The server that makes presenter clips on a GPU for others: a queue, one worker, HTTP.

`avatar serve` starts it; the notebook starts the same. docs/serve.md has the protocol.
"""
