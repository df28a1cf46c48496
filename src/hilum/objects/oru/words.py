"""The words of a text for the report, by language."""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.assessments.decision import AssessmentDecision
from hilum.config.hl7 import Language
from hilum.objects.oru.sentences import translated
from hilum.objects.report.rows import BEYOND, WITHIN
from hilum.results import WithdrawalReason


@dataclass(frozen=True)
class ReportWords:
    """The words of one `language`; `names` are for what was measured, by the meaning of its code.

    `reasons` are those that Hilum itself gives for a withdrawal.
    """

    language: Language
    draft: str
    withdrawn: str
    made_by: str
    urgent: str
    refused: str
    incomplete: str
    low_confidence: str
    most_similar: str
    indeterminate: str
    since: str
    left: str
    right: str
    more: str
    not_for_diagnosis: str
    comma: str
    colon: str
    film: str
    assessed: str
    before: str
    decisions: Mapping[AssessmentDecision, str]
    names: Mapping[str, str]
    reasons: Mapping[WithdrawalReason, str]

    def reason(self, given: str) -> str:
        """Why a result is withdrawn; what a person says stays as it is."""
        return self.reasons[given] if isinstance(given, WithdrawalReason) else given

    def told(self, text: str) -> str:
        """What Hilum or a module says in English, in this language where that is known."""
        return translated(text, self.language, self.comma)


ENGLISH = ReportWords(
    language="en",
    draft="Result of a program, a draft: no physician has checked it.",
    withdrawn="This result was withdrawn",
    made_by="Analysed by {title}, version {version}.",
    urgent="Urgent",
    refused="Could not be analysed",
    incomplete="Incomplete",
    low_confidence="Low confidence",
    most_similar="Most similar group",
    indeterminate="indeterminate",
    since="since",
    left="left",
    right="right",
    more="{count} more lines stand in the report of the archive.",
    not_for_diagnosis="Research use only - not for diagnosis.",
    comma=".",
    colon=":",
    film="Film",
    assessed="A reader says of the result of {title}, version {version}: {decision}. This is not a"
    " report.",
    before="Said before, on {at}: {decision}.",
    decisions={decision: str(decision) for decision in AssessmentDecision},
    names={},
    reasons={reason: reason for reason in WithdrawalReason},
)
GERMAN = ReportWords(
    language="de",
    draft="Ergebnis eines Programms, ein Entwurf: nicht ärztlich geprüft.",
    withdrawn="Dieses Ergebnis wurde zurückgezogen",
    made_by="Ausgewertet von {title}, Version {version}.",
    urgent="Dringend",
    refused="Konnte nicht ausgewertet werden",
    incomplete="Unvollständig",
    low_confidence="Wenig verlässlich",
    most_similar="Ähnlichste Gruppe",
    indeterminate="unbestimmt",
    since="seit",
    left="links",
    right="rechts",
    more="{count} weitere Zeilen stehen im Bericht im Archiv.",
    not_for_diagnosis="Nur für die Forschung - nicht zur Diagnose.",
    comma=",",
    colon=":",
    film="Aufnahme",
    assessed="Eine befundende Person sagt zum Ergebnis von {title}, Version {version}: {decision}."
    " Dies ist kein Befund.",
    before="Zuvor, am {at}: {decision}.",
    decisions={
        AssessmentDecision.ACCEPTED: "angenommen",
        AssessmentDecision.REJECTED: "verworfen",
        AssessmentDecision.SUPPLEMENTED: "ergänzt",
    },
    names={
        "Volume": "Volumen",
        "Length": "Länge",
        "Angle": "Winkel",
        "Asymmetry, left - right": "Asymmetrie, links - rechts",
        "Volume of left and right": "Volumen beider Seiten",
        "Share of evidence inside the lungs": "Anteil der Hinweise in der Lunge",
        WITHIN: "innerhalb des Messfehlers",
        BEYOND: "jenseits des Messfehlers",
    },
    reasons={
        WithdrawalReason.CORRECTED: "Die Patienten- oder Studiendaten dieser Bilder wurden"
        " berichtigt.",
        WithdrawalReason.OTHER_OBJECTS: "Der Empfänger erhält an seiner Stelle andere Objekte"
        " dieses Ergebnisses.",
        WithdrawalReason.ANALYSED_AGAIN: "Es wurde abgebrochen, während es gesendet wurde, und die"
        " Bilder werden erneut ausgewertet.",
    },
)
FRENCH = ReportWords(
    language="fr",
    draft="Résultat d'un programme, une ébauche : aucun médecin ne l'a vérifié.",
    withdrawn="Ce résultat a été retiré",
    made_by="Analysé par {title}, version {version}.",
    urgent="Urgent",
    refused="N'a pas pu être analysé",
    incomplete="Incomplet",
    low_confidence="Peu fiable",
    most_similar="Groupe le plus proche",
    indeterminate="indéterminé",
    since="depuis le",
    left="gauche",
    right="droite",
    more="{count} autres lignes figurent dans le rapport de l'archive.",
    not_for_diagnosis="Réservé à la recherche - pas pour le diagnostic.",
    comma=",",
    colon=" :",
    film="Cliché",
    assessed="Avis d'un lecteur sur le résultat de {title}, version {version} : {decision}. Ceci"
    " n'est pas un compte rendu.",
    before="Auparavant, le {at} : {decision}.",
    decisions={
        AssessmentDecision.ACCEPTED: "accepté",
        AssessmentDecision.REJECTED: "rejeté",
        AssessmentDecision.SUPPLEMENTED: "complété",
    },
    names={
        "Volume": "Volume",
        "Length": "Longueur",
        "Angle": "Angle",
        "Asymmetry, left - right": "Asymétrie, gauche - droite",
        "Volume of left and right": "Volume des deux côtés",
        "Share of evidence inside the lungs": "Part des indices dans les poumons",
        WITHIN: "dans l'erreur de mesure",
        BEYOND: "au-delà de l'erreur de mesure",
    },
    reasons={
        WithdrawalReason.CORRECTED: "Les données du patient ou de l'examen de ces images ont été"
        " corrigées.",
        WithdrawalReason.OTHER_OBJECTS: "Le destinataire reçoit à sa place d'autres objets de ce"
        " résultat.",
        WithdrawalReason.ANALYSED_AGAIN: "Il a été annulé pendant son envoi, et les images sont"
        " analysées à nouveau.",
    },
)
BY_LANGUAGE: dict[Language, ReportWords] = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH}
