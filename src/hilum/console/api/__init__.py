"""The API of the console: one file a resource, with its `endpoints`.

All paths begin with `/api/v1`, but those that other programs expect elsewhere.
"""

V1 = "/api/v1"
