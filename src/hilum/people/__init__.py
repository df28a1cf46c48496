"""Who uses Hilum, and who may do what.

People and programs are kept apart from the records, in `people.db` in the data folder: when the
records are restored from a backup, no old password comes back.

| part          | what is in it                                                         |
|---------------|-----------------------------------------------------------------------|
| `roles`       | roles, permissions, and which role has which                          |
| `visitor`     | the person or program behind a request                                |
| `everybody`   | all of the below, opened for one data folder                          |
| `accounts`    | names, passwords (hashed) and roles of people                         |
| `sessions`    | who is signed in, in which browser, until when                        |
| `tokens`      | what programs show instead of a password                              |
| `attempts`    | how long somebody pauses who guesses passwords                        |
| `links`       | links that sign in once, for whoever sits at the machine              |
| `openid`      | sign-in by a hospital's own OpenID Connect provider                   |
"""
