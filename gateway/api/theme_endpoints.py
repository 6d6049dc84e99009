"""The endpoints of themes."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api import themes
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.themes import QuotesQuery, ThemeQuery, Themes, ThemeShown, ThemesQuery

_ONE = "/gateway/v1/themes/<theme_id>"

THEMES = (
    Endpoint(
        "/gateway/v1/themes",
        themes.list_themes,
        Shape(query=ThemesQuery, answers={200: Themes}, asked={"limit": 5}),
    ),
    Endpoint(
        _ONE, themes.show_theme, Shape(query=ThemeQuery, answers={200: ThemeShown}, asked={"quotes": 3})
    ),
    Endpoint(
        f"{_ONE}/quotes",
        themes.show_quotes,
        Shape(query=QuotesQuery, answers={200: None}, asked={"limit": 3}, shown_as=(themes.MARKDOWN,)),
    ),
)
