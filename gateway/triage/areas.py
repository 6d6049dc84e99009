"""The parts of a product that weigh more, as a plain table; projects may bring their own."""

from __future__ import annotations

from gateway.core.area_rules import Area

DEFAULT_AREAS: tuple[Area, ...] = (
    Area(
        "login",
        3,
        ("/login", "/signin", "/sign-in", "/inloggen", "/auth", "/oauth", "/sso", "/password", "/wachtwoord"),
        ("login", "auth", "authentication", "sso", "identity"),
        r"log ?in|logging in|logged out|sign(?:ing)? in|inlog\w*|aanmelden|uitgelogd|wachtwoord|"
        r"password|einlog\w*|anmeld\w*|passwort|connexion|mot de passe|iniciar sesion|contrasena",
    ),
    Area(
        "signup",
        3,
        ("/signup", "/sign-up", "/register", "/registreren", "/join", "/onboarding"),
        ("signup", "registration", "onboarding"),
        r"sign(?:ing)? up|signup|registrati\w*|registreren|registrier\w*|inscription|registrarse|"
        r"create an account|account aanmaken",
    ),
    Area(
        "checkout",
        3,
        (
            "/checkout",
            "/cart",
            "/basket",
            "/afrekenen",
            "/winkelwagen",
            "/order",
            "/bestellen",
            "/kasse",
            "/panier",
        ),
        ("checkout", "cart", "orders"),
        r"check(?:ing)? ?out|afrekenen|winkelwagen|winkelmand\w*|shopping cart|warenkorb|kasse|panier|"
        r"carrito",
    ),
    Area(
        "payment",
        3,
        ("/pay", "/payment", "/payments", "/betalen", "/betaling"),
        ("payment", "payments", "stripe", "mollie", "adyen"),
        r"pay(?:ing|ment|ments)|paid|charged|betalen|betaling\w*|betaald|afgeschreven|ideal betaling|"
        r"credit ?card|bezahl\w*|zahlung\w*|paiement|payer|pago|pagar|refund\w*|terugbetal\w*",
    ),
    Area(
        "billing",
        2,
        ("/billing", "/invoice", "/invoices", "/subscription", "/facturen", "/factuur", "/abonnement"),
        ("billing", "invoicing", "subscriptions"),
        r"billing|invoices?|factu(?:ur|ren)|rechnung\w*|facturas?|factures?|subscriptions?|abonnement\w*",
    ),
    Area(
        "data loss",
        3,
        (),
        ("data-loss", "dataloss", "backup"),
        r"data ?loss|lost (?:all |my |our )*(?:data|work|files|notes|photos)|(?:data|files|notes|photos|"
        r"work) (?:is|are|was|were) (?:gone|lost|deleted|missing)|dataverlies|gegevens (?:zijn )?(?:weg|"
        r"kwijt|verdwenen)|datenverlust|perte de donnees|perdida de datos|corrupt(?:ed|ion)?",
    ),
    Area(
        "security",
        3,
        ("/security", "/2fa", "/mfa"),
        ("security", "privacy", "gdpr"),
        r"security|vulnerabilit\w*|data ?breach|leak(?:ed|s)? (?:data|passwords?)|hacked|gehackt|"
        r"datalek\w*|beveiliging\w*|phishing|exploit\w*|sicherheit\w*|securite|seguridad|xss|"
        r"sql injection|other (?:people|users|customers)'?s? data",
    ),
)
