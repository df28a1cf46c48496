"""Images that a person hands over in a browser come into the inbox.

| module    | what it does                                                                   |
|-----------|--------------------------------------------------------------------------------|
| `uploads` | the uploads of one console, and each of them from its first byte to its end      |
| `child`   | the process that reads what was handed over; nothing else of Hilum does          |
| `intake`  | in that process: one file after the other goes through the gate of the inbox     |
| `archive` | what a ZIP archive holds, read within bounds                                     |
| `talk`    | what the two processes tell each other                                           |
"""
