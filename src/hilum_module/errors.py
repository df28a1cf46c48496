"""What may go wrong with the images that a module is given, and with a model of a framework."""


class ModelError(ValueError):
    """What a model of a framework is, or has left, is of no use; the text says why."""


class DicomError(Exception):
    """Images cannot be used as the module asked for them; the text says why.

    A run that does not catch it ends with a refusal, which says so to the reader.
    """
