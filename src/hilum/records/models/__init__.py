"""The rows of our records as values: one frozen dataclass a table, one file a subject.

Times are seconds since 1970. Identities and labels are hashes (hilum.dicom.identity). Nothing here
holds a name, a birth date or a patient ID: those stand in `listing` alone (listed.py). What the
receiver rejected is a `hilum.rejections.Rejection`.
"""
