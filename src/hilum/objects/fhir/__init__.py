"""A result as FHIR R4 resources, mapped from the measurement report (docs/reference/fhir.md)."""
