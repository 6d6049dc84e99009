"""FLORA's routes that the trunk answers itself, since they ask for more than feedback and projects.

Each module has its own; what is refused leaves in FLORA's dialect (adapters.flora).
"""

from __future__ import annotations

from gateway.api.flora.assets import ASSETS
from gateway.api.flora.runs import RUNS
from gateway.api.flora.techniques import TECHNIQUES
from gateway.api.flora.triage_models import MODELS

FLORA = (*MODELS, *ASSETS, *TECHNIQUES, *RUNS)
