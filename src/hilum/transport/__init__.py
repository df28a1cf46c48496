"""The protocols: DIMSE as a service class user (C-STORE, C-FIND, C-GET, C-ECHO), and HTTP."""
