"""What may go wrong with the images that a module is given."""


class DicomError(Exception):
    """Images cannot be used as the module asked for them; the text says why.

    A run that does not catch it ends with a refusal, which says so to the reader.
    """
