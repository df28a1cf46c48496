"""What leaves for a server that is not ours: without its patient, and found again when it answers.

The Basic Application Confidentiality Profile of PS3.15 Annex E, and stricter: what no network needs
is left out even where the profile lets it stay.
"""

from hilum.deidentification.aliases import Aliases
from hilum.deidentification.burned_in import telling_pixels
from hilum.deidentification.files import deidentified

__all__ = ["Aliases", "deidentified", "telling_pixels"]
