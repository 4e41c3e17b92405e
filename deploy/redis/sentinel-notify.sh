#!/usr/bin/env bash
# What Sentinel calls on an event (sentinel notification-script): <type of event> <description>.
# It writes a line to the system's log and, where SLUICE_ALERTMANAGER_URL is set in the environment of the sentinel (such as
# http://alertmanager:9093), raises an alert there, so that a failover reaches the route of all other alerts.
# Exit code 1 makes Sentinel try again later, up to ten times.
set -euo pipefail

event="${1:?usage: sentinel-notify.sh <event> <description>}"
description="${2:-}"

echo "sentinel: $event $description" >&2
if command -v logger >/dev/null; then logger --tag sluice-sentinel "$event $description" || true; fi

[[ -n "${SLUICE_ALERTMANAGER_URL:-}" ]] || exit 0

# What needs somebody now; the rest is for the record.
case "$event" in
  +odown | +failover-abort* | -failover-abort* | +tilt) severity=critical ;;
  *) severity=warning ;;
esac

in_json() {
  local text="${1//\\/\\\\}"
  text="${text//\"/\\\"}"
  printf '%s' "${text//[[:cntrl:]]/ }"
}

curl --fail --silent --show-error --max-time 10 --header 'Content-Type: application/json' \
  --data "[{\"labels\":{\"alertname\":\"RedisSentinel\",\"event\":\"$(in_json "$event")\",\"severity\":\"$severity\"},\"annotations\":{\"description\":\"$(in_json "$description")\"}}]" \
  "${SLUICE_ALERTMANAGER_URL%/}/api/v2/alerts" || exit 1
