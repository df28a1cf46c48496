"""What routing loses: Hilum watches the PACS and fetches it."""

from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial


@fault(
    "listener unreachable",
    "nothing that the PACS routes arrives; Hilum fetches all of it",
    quick=True,
)
def listener_unreachable(trial: Trial) -> None:
    trial.network.wire.cut()
    trial.send()
    trial.lifted()  # the wire stays cut: Hilum has to find the study by itself


@fault("routing breaks off", "the line to Hilum's listener is cut after some images, for good")
def routing_breaks_off(trial: Trial) -> None:
    study = trial.study()
    with trial.meanwhile(lambda: trial.send(study)):
        trial.wait_for_files(study, study.most)
        trial.network.wire.cut()
    trial.lifted()


@fault(
    "PACS killed before it routed",
    "kill -9 of the PACS within its stable window, nothing routed; started again",
)
def pacs_killed_before_it_routed(trial: Trial) -> None:
    trial.network.wire.cut()
    trial.send()
    trial.network.pacs.kill()
    trial.network.wire.open()
    trial.network.pacs.start()
    trial.lifted()
