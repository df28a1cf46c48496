"""The DICOM information model as Hilum sees it: instance, series, study, geometry, codes."""
