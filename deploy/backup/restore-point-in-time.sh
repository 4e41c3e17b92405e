#!/usr/bin/env bash
# restore-point-in-time.sh DATA_DIRECTORY [--base BASE] [--time TIME | --name RESTORE_POINT | --latest]
# The files of a server as it was at that time, from the last base backup before it and the archived WAL. Start the server on them: it
# rolls forward, stops there and takes writes.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need pg_verifybackup

data="${1:?names the data directory of the new server}"
shift
goal="recovery_target_timeline = 'latest'"
while (($# > 0)); do
  case "$1" in
    --base) base="$2"; shift 2 ;;
    --time) goal="recovery_target_time = '$2'" before="$(date -u -d "$2" +%Y%m%dT%H%M%SZ)"; shift 2 ;;
    --name) goal="recovery_target_name = '$2'"; shift 2 ;;
    --latest) shift ;;
    *) fail "what is $1?" ;;
  esac
done
# From a base backup that is younger there is no way back to the time.
base="${base:-$(newest base "${before:-}")}"
check_sums "$base"
pg_verifybackup --quiet "$base/data"
if [[ -e "$data" ]] && [[ -n "$(ls -A "$data")" ]]; then fail "$data is not empty"; fi
mkdir -p "$data"
cp -a "$base/data/." "$data/"
chmod 700 "$data"
scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
remote="${SLUICE_BACKUP_REMOTE:+SLUICE_BACKUP_REMOTE=\"$SLUICE_BACKUP_REMOTE\" }"
cat >>"$data/postgresql.auto.conf" <<CONF
restore_command = '${remote}SLUICE_BACKUP_DIRECTORY="$backups" "$scripts/restore-wal.sh" %f %p'
$goal
recovery_target_action = 'promote'
CONF
touch "$data/recovery.signal"
printf 'Start the server on %s; it says "archive recovery complete" when it is there.\n' "$data"
