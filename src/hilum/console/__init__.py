"""The console: where each study is, why, and what to do (web pages and API).

It is a process of its own, so an open page slows no decision.

| part          | what is in it                                                             |
|---------------|---------------------------------------------------------------------------|
| `pages/`      | one file a page: its addresses and what it shows                          |
| `api/`        | one file a resource of the API                                            |
| `endpoints`   | how a page or resource says where it is and who may ask for it            |
| `app`         | the application: finds pages and resources, and puts them together        |
| `templates/`  | what pages look like (Jinja2)                                             |
| `static/`     | style, letters and scripts, served as they are                            |

To add a page, write one file in `pages/`.
"""
