"""Archives as hospitals have them: each kind is put in Hilum's way, and its cure is applied.

A case says in data how its archive behaves, what is right to happen to a delivery, and the cure
that Hilum must print (`case.py`; the cases stand in `cases/`). `run.py` has one running Hilum send
a result to all of them, and `table.py` writes the page.
"""
