"""How numbers and nouns stand together in what people read."""


def counted(number: int, noun: str) -> str:
    """`number` and `noun`, given as of one, in the right form: "1 image", "0 studies"."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("sis"):  # analysis
        return f"{number} {noun[:-2]}es"
    if noun.endswith("series"):
        return f"{number} {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}s"
