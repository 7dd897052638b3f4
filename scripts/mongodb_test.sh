#!/usr/bin/env bash
#
# Tries scripts/mongodb out, on a server of its own name, so that nobody else's is disturbed.
# With MONGODB_URI set it only tries that MongoDB: there is nothing to start, stop or pause.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export FHIRFACADE_MONGODB_NAME=selftest-$$

fail() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }
ok() { printf 'ok: %s\n' "$*"; }
start() { scripts/mongodb start | tail -n 1; }
ping() { go run ./scripts/internal/mongoping "$1"; }
answers() { scripts/mongodb status >/dev/null 2>&1; }

trap 'scripts/mongodb stop' EXIT

uri=$(start)
[[ $uri == mongodb* ]] || fail "start printed no URI but: $uri"
printf '%s\n' "$uri"
ping "$uri"
ok 'a database takes writes and finds by a key range'

SECONDS=0
[[ $(start) == "$uri" ]] || fail 'a second start gave another URI'
((SECONDS <= 5)) || fail "a second start took $SECONDS s"
ok 'a second start gives the same URI, at once'
[[ -z ${MONGODB_URI:-} ]] || exit 0

scripts/mongodb pause
! answers || fail 'it answers while paused'
scripts/mongodb resume
answers || fail 'it does not answer after resume'
ok 'pause and resume'

[[ $(scripts/mongodb restart) == "$uri" ]] || fail 'restart gave another URI'
ping "$uri"
ok 'restart keeps the URI'

scripts/mongodb stop
! answers || fail 'it answers after stop'
scripts/mongodb stop || fail 'a second stop is no error'
# Two at once: one starts it, the other waits and finds it.
start >"${TMPDIR:-/tmp}/$FHIRFACADE_MONGODB_NAME" &
uri=$(start)
wait $!
[[ $(<"${TMPDIR:-/tmp}/$FHIRFACADE_MONGODB_NAME") == "$uri" ]] || fail 'two starts at once gave two servers'
rm -f "${TMPDIR:-/tmp}/$FHIRFACADE_MONGODB_NAME"
ping "$uri"
ok 'it starts again after stop, and two starts at once agree'
