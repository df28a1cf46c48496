"""`hilum chaos`: a real network, faults injected at named steps, and what was lost or sent twice.

What counts is never asked of Hilum itself: the scanner notes what it was told, the archives note
what they hold, the gate between Hilum and the PACS notes what goes through it (`ledger.py`).

To add a fault, write one function in `faults/` with a name and a sentence:

    @fault("pacs-down", "the PACS is down while a study goes through, and comes back")
    def pacs_down(trial: Trial) -> None:
        trial.network.gate.close()
        study = trial.send()
        trial.wait_for(study, "written")
        trial.network.gate.open()
        trial.lifted()

The runner waits for the results, counts, and says how long it took since `lifted`.
"""
