"""Words that say how bad it is and how many are hit, whatever the area: five languages.

What an area's own words say is in its table (gateway.triage.phrase_tables). The patterns are matched on a
text's tokens joined by blanks: lower case, accents dropped.
"""

from __future__ import annotations

from gateway.triage.phrases import whole_words

# Most severe first: points, what the words mean, pattern.
_SEVERE = (
    (
        5,
        "an outage, a loss or a leak",
        r"(?:completely|totally|is|are) down|charged twice|unreachable|onbereikbaar",
    ),
    (
        4,
        "it crashes or loses work",
        r"crash\w*|freez\w+|frozen|hangs?|segfault|panic|out of memory|corrupt\w*|vastgelopen|"
        r"loopt vast|vastloopt|blijft hangen|sluit (?:zichzelf |zich |vanzelf )?af|shuts down|"
        r"closes (?:by )?itself|verdwenen|vanished|(?:is|are) gone|lost my|(?:is|zijn|"
        r"ben) (?:\w+ )?kwijt|wit scherm|white screen|zwart scherm|black screen|"
        r"absturz\w*|sturzt(?: \w+){0,3} ab|abgesturzt|hangt sich auf|friert(?: \w+){0,3} ein|eingefroren|"
        r"plante|plantee?s?|se ferme|ecran (?:blanc|noir)|"
        r"se cierra|se cierre|se cuelga|se bloquea|se congela|pantalla (?:blanca|negra)",
    ),
    (
        3,
        "something does not work",
        r"(?:does|do|did|is|are|was)(?: not|n't)(?: \w+)? ?(?:work\w*|load\w*|open\w*|respond\w*|"
        r"start\w*|save\w*|arriv\w*)|not working|stopped working|won't|can(?:not|'t| not|t)|unable to|"
        r"broken?|fails?|failed|failing|failure|errors?|exception|nothing happens|does nothing|"
        r"impossible to|timeouts?|timed out|xxtrace|stuck|werk(?:t|en|te)(?: \w+){0,2} niet|"
        r"lukt(?: \w+)? niet|kan(?: \w+){0,3} niet|doet(?: \w+){0,2} niets?|niet meer|reageert niet|"
        r"laadt niet|mislukt\w*|foutmelding\w*|kapot\w*|stuk|gebeurt (?:er )?(?:niks|niets)|"
        r"komt niet aan|"
        r"geht(?: \w+)? nicht|funktioniert(?: \w+)? nicht|kaputt|fehlermeldung\w*|fehler|"
        r"lasst sich(?: \w+){0,2} nicht|reagiert nicht|schlagt fehl|schlagt(?: \w+){0,2} fehl|fehlgeschlagen|"
        r"kann(?: \w+){0,3} nicht|nicht mehr|passiert nichts|"
        r"ne (?:marche|fonctionne|s'ouvre|charge|repond)(?:nt)? (?:pas|plus)|erreur|casse|"
        r"impossible de|echoue|"
        r"(?:n'arrive|peux|peut|arrive) (?:pas|plus)|"
        r"no (?:funciona|puedo|carga|abre|deja|responde|guarda)|roto|falla|imposible",
    ),
    (
        1,
        "a matter of looks or wording",
        r"typos?|typfout\w*|spelling\w*|spelfout\w*|colou?rs?|kleur\w*|misaligned|alignment|uitlijning|"
        r"cosmetic|icons?|icoon\w*|tippfehler|faute de frappe|ugly|lelijk\w*|hasslich\w*|laid|fonts?|"
        r"lettertype\w*|schriftart\w*|couleurs?|farben?|mal aligne|falta de ortografia|color|colores",
    ),
)


SEVERE = tuple((points, why, whole_words(pattern)) for points, why, pattern in _SEVERE)
STRONG = whole_words(
    r"terrible|horrible|awful|worst|useless|worthless|unacceptable|furious|disgust\w*|ridiculous|"
    r"hate|scam|garbage|pathetic|waardeloos|waardeloze|verschrikkelijk\w*|vreselijk\w*|belachelijk\w*|"
    r"onacceptabel\w*|schandalig\w*|woedend|bagger|rampzalig\w*|drama|schrecklich\w*|furchtbar\w*|"
    r"katastroph\w*|unverschamt\w*|inacceptable|catastroph\w*|scandaleux|pesimo|horroroso|inaceptable|"
    r"vergonzoso|!!"
)
EVERYONE = whole_words(
    r"everyone|everybody|all (?:our |the |my )?(?:users|customers|clients|people|students|teams?)|"
    r"nobody|no one|whole (?:company|team|office)|iedereen|niemand|alle (?:gebruikers|klanten|"
    r"medewerkers|collega's)|al onze (?:klanten|gebruikers)|hele (?:bedrijf|afdeling|team)|"
    r"alle (?:benutzer|nutzer|kunden)|jeder|tout le monde|tous les (?:utilisateurs|clients)|personne ne|"
    r"todos los (?:usuarios|clientes)|todo el mundo|nadie"
)
MANY = whole_words(
    r"(?:several|many|multiple|some|our|a few|lots of) (?:of (?:our|my) )?(?:users|customers|"
    r"clients|colleagues|people)|(?:meerdere|veel|verschillende|sommige|onze) (?:gebruikers|klanten|"
    r"collega's|medewerkers|mensen)|(?:viele|mehrere|unsere) (?:kunden|nutzer|benutzer)|"
    r"plusieurs (?:clients|utilisateurs)|varios (?:clientes|usuarios)"
)
