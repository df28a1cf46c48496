"""Gives the cases to `hilum run`, all of one modality in one folder, and has them judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.offline import analyse_folder
from hilum.offline.reading import Progress, in_lines, untold
from hilum.offline.report import ReportState, StudyReport
from hilum_lab.odd_input.case import Case
from hilum_lab.odd_input.classic import CaseFiles
from hilum_lab.odd_input.installed import modules_installed
from hilum_lab.odd_input.judge import Heard, IndependentReader, JudgedCase, judged
from hilum_lab.odd_input.module import kept


def run(
    cases: Sequence[Case], work: Path, reader: IndependentReader | None, progress: Progress = untold
) -> list[JudgedCase]:
    """One row for each case, in their order; files are made in the empty folder `work`."""
    folders = write_all(cases, work / "exams", progress)
    heard = heard_of_run(cases, folders, work, progress)
    rows = []
    for number, case in enumerate(cases, start=1):
        rows.append(judged(case, folders[case.title], heard[case.title], reader))
        progress("judging", number, len(cases))
    return rows


def heard_of_run(
    cases: Sequence[Case], folders: Mapping[str, Path], work: Path, progress: Progress = untold
) -> dict[str, Heard]:
    """What `hilum run` makes of each case, by its title; `folders` is what `write_all` gave."""
    heard: dict[str, Heard] = {}
    received = work / "received"
    with modules_installed(work / "modules", received):
        for modality in dict.fromkeys(case.modality for case in cases):
            ours = [case for case in cases if case.modality == modality]
            reports = analyse_folder(
                f"lab-receives-{modality.lower()}",
                folders[ours[0].title].parent,
                work / "results" / modality,
                {},
                progress=progress,
                folders=[received],
            )
            heard |= {c.title: _heard(c, folders[c.title], reports, work) for c in ours}
    return heard


def write_all(cases: Sequence[Case], folder: Path, progress: Progress = untold) -> dict[str, Path]:
    """The files of all cases below `folder`, a folder for each; these by the case's title."""
    folders = {}
    for number, case in enumerate(cases, start=1):
        folders[case.title] = folder / case.modality / f"{number:03d}"
        write(case.exam(), folders[case.title])
        progress("making", number, len(cases))
    return folders


def write(exam: CaseFiles, folder: Path) -> None:
    """The files of one exam."""
    folder.mkdir(parents=True)
    for name, content in exam.files.items():
        if isinstance(content, Dataset):
            content.file_meta.MediaStorageSOPClassUID = content.SOPClassUID
            content.file_meta.MediaStorageSOPInstanceUID = content.SOPInstanceUID
            content.save_as(folder / name, enforce_file_format=True)
        else:
            (folder / name).write_bytes(content)


def _heard(case: Case, folder: Path, reports: Sequence[StudyReport], work: Path) -> Heard:
    """What the reports say of one case: of its study, and of its files that belong to none."""
    own = [report for report in reports if report.study_uid == case.study_uid]
    words: list[str] = []
    for report in own:
        words += [report.problem, report.caution, *report.verdicts]
        words += (f.in_words() for f in report.findings if f.kind in ("note", "refusal"))
    remarks = [file for report in reports for file in report.files]
    words += in_lines((r for r in remarks if Path(r.path).is_relative_to(folder)), folder)
    state = own[0].state if own else ReportState.PASSED_OVER
    volume = kept(work / "received", case.study_uid)
    return Heard(state, "; ".join(filter(None, words)), volume)
