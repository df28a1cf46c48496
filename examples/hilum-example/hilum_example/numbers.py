"""A result object: what was measured, as JSON."""

import json
from collections.abc import Sequence

from hilum.objects import Analysis, Writing


class NumbersAsJson:
    """The numbers of a result, and what made them; it holds nothing that names the patient."""

    media_type = "application/json"
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[bytes]:
        analysis = writing.analysis
        measured = [
            {
                "what": measurement.code.meaning,
                "of": measurement.of.label if measurement.of else None,
                "value": measurement.value,
                "unit": measurement.unit.value,
            }
            for measurement in analysis.findings.measurements
        ]
        refusal = analysis.findings.refusal
        content = {
            **_about(analysis),
            "measured": measured,
            "refused": refusal.sentence if refusal else None,
        }
        return [json.dumps(content).encode()]

    def write_withdrawal(self, writing: Writing, identities: Sequence[str], reason: str) -> bytes:
        content = {**_about(writing.analysis), "withdrawn": list(identities), "reason": reason}
        return json.dumps(content).encode()


def _about(analysis: Analysis) -> dict[str, str]:
    module = analysis.module
    return {
        "study": analysis.study.uid,
        "module": f"{module.name} {module.version}",
        "weights": module.weights_sha256,
    }
