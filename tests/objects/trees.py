"""Ways through the content tree of a structured report (PS3.3 C.17.3)."""


def child(item, name):
    """The first content item below `item` whose concept name is `name`."""
    return next(
        found
        for found in item.ContentSequence
        if found.ConceptNameCodeSequence[0].CodeValue == name.value
    )
