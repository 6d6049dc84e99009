"""The floor: the least a Flask view can do with a JSON body, under the gateway's own server settings."""

from __future__ import annotations

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.post("/v1/feedback")
def feedback() -> object:
    """Parses the body and answers its text."""
    return jsonify(text=request.get_json()["text"]), 201
