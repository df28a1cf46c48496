"""The demo's clinical network, real parts on one machine: scanner, PACS, viewer, sample exam."""
