"""Counts words."""

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/words")
def words():
    return jsonify(words=len(request.get_json()["text"].split()))
