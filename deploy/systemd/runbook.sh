# shellcheck shell=sh
# What the lines of the runbooks read, with users and passwords in it. As root, in the shell that they are typed into:
#   . /opt/sluice/deploy/systemd/runbook.sh
# Redis is asked as sluice-doctor, who may look at everything and change nothing.

# Whoever sources it may have another directory of settings, as a test has.
_etc=${SLUICE_ETC:-/etc/sluice}
set -a
# shellcheck source=/dev/null
for _file in common orchestrator doctor; do . "$_etc/$_file.env"; done
set +a

# An address with the login in it: <address> <user> <file of the password>.
_with_login() {
  _rest=${1#*://}
  printf '%s://%s:%s@%s' "${1%%://*}" "$2" "$(cat "$3")" "${_rest#*@}"
}

_user=${SLUICE_ORCHESTRATOR_DATABASE_URL#*://}
SLUICE_ORCHESTRATOR_DATABASE_URL=$(
  _with_login "$SLUICE_ORCHESTRATOR_DATABASE_URL" "${_user%%@*}" "$SLUICE_ORCHESTRATOR_DATABASE_PASSWORD_FILE"
)
SLUICE_REDIS_BROKER_URL=$(_with_login "$SLUICE_REDIS_BROKER_URL" "$SLUICE_REDIS_USERNAME" "$SLUICE_REDIS_PASSWORD_FILE")
if [ -n "${SLUICE_DATABASE_URL-}" ] && [ -n "${SLUICE_DATABASE_PASSWORD_FILE-}" ]; then
  _user=${SLUICE_DATABASE_URL#*://}
  SLUICE_DATABASE_URL=$(_with_login "$SLUICE_DATABASE_URL" "${_user%%@*}" "$SLUICE_DATABASE_PASSWORD_FILE")
fi
unset _etc _file _rest _user
unset -f _with_login
