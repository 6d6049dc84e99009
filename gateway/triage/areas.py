"""The parts of a product that weigh more, as a plain table; projects may bring their own.

The words they are known by are in the tables of `words/`, by their names.
"""

from __future__ import annotations

from gateway.core.area_rules import Area

DEFAULT_AREAS: tuple[Area, ...] = (
    Area(
        "login",
        3,
        ("/login", "/signin", "/sign-in", "/inloggen", "/auth", "/oauth", "/sso", "/password", "/wachtwoord"),
        ("login", "auth", "authentication", "sso", "identity"),
    ),
    Area(
        "signup",
        3,
        ("/signup", "/sign-up", "/register", "/registreren", "/join", "/onboarding"),
        ("signup", "registration", "onboarding"),
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
    ),
    Area(
        "payment",
        3,
        ("/pay", "/payment", "/payments", "/betalen", "/betaling"),
        ("payment", "payments", "stripe", "mollie", "adyen"),
    ),
    Area(
        "billing",
        2,
        ("/billing", "/invoice", "/invoices", "/subscription", "/facturen", "/factuur", "/abonnement"),
        ("billing", "invoicing", "subscriptions"),
    ),
    Area(
        "data loss",
        3,
        (),
        ("data-loss", "dataloss", "backup"),
    ),
    Area(
        "security",
        3,
        ("/security", "/2fa", "/mfa"),
        ("security", "privacy", "gdpr"),
    ),
    Area("availability", 3, (), ("availability", "outage", "downtime")),
)
