"""What stands around an answer in a mail, in the language of the record."""

from __future__ import annotations

from dataclasses import dataclass

OTHERWISE = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """`%(project)s` is the project's name, `%(url)s` where mail is ended. `asked` begins a mail to many."""

    subject: str
    asked: str
    why: str
    stop: str


WORDS = {
    "en": Words(
        "Your feedback to %(project)s",
        "You gave feedback to %(project)s and asked to hear what becomes of it:",
        "You get this mail because feedback to %(project)s was sent with this address.",
        "No more mail about it: %(url)s",
    ),
    "nl": Words(
        "Uw feedback aan %(project)s",
        "U gaf feedback aan %(project)s en wilde horen wat ermee gebeurt:",
        "U krijgt deze mail omdat met dit adres feedback aan %(project)s is gestuurd.",
        "Geen mail meer hierover: %(url)s",
    ),
    "de": Words(
        "Ihr Feedback an %(project)s",
        "Sie haben %(project)s Feedback gegeben und wollten hören, was daraus wird:",
        "Sie bekommen diese Mail, weil mit dieser Adresse Feedback an %(project)s gesendet wurde.",
        "Keine Mail mehr dazu: %(url)s",
    ),
    "fr": Words(
        "Votre avis à %(project)s",
        "Vous avez donné votre avis à %(project)s et souhaitiez savoir ce qu'il en advient :",
        "Vous recevez ce message parce qu'un avis a été envoyé à %(project)s avec cette adresse.",
        "Ne plus recevoir de message à ce sujet : %(url)s",
    ),
    "es": Words(
        "Sus comentarios a %(project)s",
        "Envió comentarios a %(project)s y pidió saber qué pasa con ellos:",
        "Recibe este correo porque se enviaron comentarios a %(project)s con esta dirección.",
        "No recibir más correos sobre esto: %(url)s",
    ),
}


def words_in(language: str | None) -> Words:
    """The words of a language, such as "nl" or "pt-BR"; English for one that there are none of."""
    return WORDS.get((language or "").partition("-")[0].lower(), WORDS[OTHERWISE])
