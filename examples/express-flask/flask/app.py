"""What the bakery bakes on which day of the week."""

import datetime
import os

from flask import Flask, jsonify

app = Flask(__name__)

EVERY_DAY = ["sourdough", "baguette"]
BY_WEEKDAY = {
    0: ["rye"],
    1: ["spelt"],
    2: ["focaccia"],
    3: ["walnut bread"],
    4: ["challah"],
    5: ["brioche", "croissants"],
}


def bread_on(day: datetime.date) -> list[str]:
    """Nothing is baked on Sundays."""
    if day.weekday() == 6:
        return []
    return EVERY_DAY + BY_WEEKDAY[day.weekday()]


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.get("/bread")
def bread():
    return jsonify(
        bakery=os.environ.get("BAKERY_NAME", "the bakery"),
        bread=bread_on(datetime.date.today()),
    )
