"""While the commands are loaded, nothing is looked through for garbage: all of that lasts.

Looking takes a tenth of the time of a short command. It is imported first, and `hilum.cli` turns
the collector on again when all is loaded.
"""

import gc

gc.disable()
