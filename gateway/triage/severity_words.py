"""Words that say how bad it is and how many are hit: English, Dutch, some German, French and Spanish.

The patterns are matched on a text's tokens joined by blanks: lower case, accents dropped.
"""

from __future__ import annotations

from gateway.triage.phrases import whole_words

# Most severe first: points, what the words mean, pattern.
_SEVERE = (
    (
        5,
        "an outage, a loss or a leak",
        r"outage|(?:completely|totally|whole \w+ is|is|are) down|data ?loss|lost (?:all|everything)|"
        r"data ?breach|datalek|security hole|ligt (?:eruit|plat)|plat ligt|alles (?:is )?(?:weg|kwijt)|"
        r"dataverlies|storing|unreachable|onbereikbaar|hacked|gehackt|charged twice|dubbel afgeschreven|"
        r"ausfall|datenverlust",
    ),
    (
        4,
        "it crashes or loses work",
        r"crash\w*|freez\w+|frozen|hangs?|segfault|panic|out of memory|corrupt\w*|vastgelopen|"
        r"loopt vast|vastloopt|blijft hangen|sluit (?:zichzelf |zich |vanzelf )?af|shuts down|"
        r"closes (?:by )?itself|verdwenen|vanished|(?:is|are) gone|lost my|(?:is|zijn|"
        r"ben) (?:\w+ )?kwijt|absturz|sturzt|plante|se cierra|wit scherm|white screen|zwart scherm|"
        r"black screen",
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
        r"komt niet aan|geht(?: \w+)? nicht|funktioniert(?: \w+)? nicht|kaputt|fehlermeldung\w*|"
        r"ne (?:marche|fonctionne) (?:pas|plus)|no (?:funciona|puedo|carga|abre)|erreur|fehler|roto|"
        r"casse",
    ),
    (
        1,
        "a matter of looks or wording",
        r"typos?|typfout\w*|spelling\w*|spelfout\w*|colou?rs?|kleur\w*|misaligned|alignment|uitlijning|"
        r"cosmetic|icons?|icoon\w*|tippfehler|faute de frappe",
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
