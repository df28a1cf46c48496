"""What the receiver agrees on with a caller: presentation contexts, lengths of PDUs and time-outs.

Whatever storage a caller proposes is supported: no list of ours can be complete.
"""

import sys
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from hilum.config.receiver import Receiver
from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hilum.transport.commitment import COMMITMENT
from hilum.transport.dimse import MAXIMUM_PDU, TRANSFER_SYNTAXES, VERIFICATION, is_storage_class

ASSOCIATION_REQUEST_SECONDS = 15.0  # PS3.8 9.1.5, ARTIM
IDLE_SECONDS = 300.0  # scanners keep an association open while they reconstruct
STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"


def application_entity(settings: Receiver) -> AE:
    """The application entity that listens."""
    entity = AE(settings.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = MAXIMUM_PDU
    entity.maximum_associations = sys.maxsize  # it counts port probes too: we count ourselves
    entity.acse_timeout = ASSOCIATION_REQUEST_SECONDS
    entity.network_timeout = IDLE_SECONDS
    return entity


def contexts_for_all() -> list[PresentationContext]:
    """What every caller may use, beside the storage that it proposes.

    Archives that call us to answer serve the class themselves (PS3.4 J.3.3, PS3.7 D.3.3.4).
    """
    answers_to_us = build_context(COMMITMENT)
    answers_to_us.scu_role, answers_to_us.scp_role = False, True
    return [build_context(VERIFICATION), answers_to_us]


def contexts_for(caller: Any) -> list[PresentationContext]:
    """The storage that `caller` proposes, the requestor of an association."""
    classes = {context.abstract_syntax for context in caller.requested_contexts}
    return [build_context(uid, TRANSFER_SYNTAXES) for uid in classes if is_storage_class(uid)]


def related_classes(event: Any) -> dict[Any, SOPClassCommonExtendedNegotiation]:
    """Name the Storage Service as the service of private SOP classes (PS3.7 D.3.3.6)."""
    items = {}
    for context in event.assoc.requestor.requested_contexts:
        if is_storage_class(context.abstract_syntax):
            item = SOPClassCommonExtendedNegotiation()
            item.sop_class_uid = context.abstract_syntax
            item.service_class_uid = STORAGE_SERVICE_CLASS
            items[context.abstract_syntax] = item
    return items


def refused_storage(association: Any) -> list[str]:
    """The names of the proposed storage classes of which no transfer syntax was accepted."""
    taken = {context.abstract_syntax for context in association.accepted_contexts}
    refused = {context.abstract_syntax for context in association.rejected_contexts} - taken
    return sorted(UID(uid).name for uid in refused if is_storage_class(uid))
