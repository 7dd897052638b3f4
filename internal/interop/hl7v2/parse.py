"""Checks values of a message against python-hl7's: the first line of stdin is
the message as JSON, each other line a path and what it says."""

import json
import sys

import hl7

message = hl7.parse(json.loads(sys.stdin.readline()))
checked = 0
for line in sys.stdin:
    v = json.loads(line)
    got = message.extract_field(
        v["segment"], v["occurrence"], v["field"], v["repetition"], v["component"], v["subcomponent"]
    )
    if got != v["value"]:
        sys.exit("%s: %r, not %r" % (v, got, v["value"]))
    checked += 1
print("checked", checked)
