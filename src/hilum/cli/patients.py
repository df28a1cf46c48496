"""The command by which a person says whose images a result is made from.

Nothing here is logged; the audit trail holds who looked, or decided, and the patient IDs.
"""

from typing import Annotated

import typer

from hilum.cli.app import DEFAULT_CONFIG, Config, StudyName, app, out, say, site_and_records
from hilum.records.states import RequestAction


@app.command()
def decide(
    study: StudyName,
    patient: Annotated[
        str,
        typer.Option(
            help="Number of the right patient, as shown without this option; `present` leaves the"
            " images as they are."
        ),
    ] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show which patients the images of a study name, or choose the right one.

    Images that were sent again with corrected data take the place of the former ones, and results
    that were made of those are taken back.

    This shows patient data.
    """
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.cli.audited import ask_on_record, audited
    from hilum.cli.identities import how_to_choose, table
    from hilum.cli.tables import print_table
    from hilum.patients import choosing
    from hilum.records import views

    site, records = site_and_records(config)
    study_uid = views.study_called(records, study)
    versions = choosing.versions_of(site, records, study_uid)
    if not patient:
        about = AuditedObject.study(study_uid)
        with audited(site, AuditedAct.OPENED, about, patient_id=choosing.patient_ids_of(versions)):
            print_table(table(versions))
            does = choosing.what_choosing_does(records, study_uid, versions)
            out.print(how_to_choose(study_uid, does))
        return
    chosen = choosing.choose(site, records, study_uid, patient, versions)
    asked = (RequestAction.DECIDE, chosen.workitem_id, chosen.identity)
    done, answer = ask_on_record(site, records, *asked, patient_id=chosen.patient_id)
    say.print(answer)
    raise typer.Exit(0 if done else 1)
