#!/usr/bin/env bash
# restore-point-in-time.sh DATA_DIRECTORY --drill | --for-good [--base BASE] [--time TIME | --name RESTORE_POINT | --latest]
# The files of a server as it was at that time, from the last base backup before it and the archived WAL. Start the server on them: it
# rolls forward, stops there and takes writes. A time without a zone is UTC.
#
# Whichever server takes writes begins a timeline of its own, and each later restore follows the last that is archived. So which of the two
# it is has to be said: for a drill it archives nothing, as its timeline would be taken for what came after; for good it goes on with the
# archive.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need pg_verifybackup

# The last base backup that had ended by then: from one that ended later there is no way back to the time.
ended_by() {
  local base
  whole base | while read -r base; do
    if [[ -e "$base/ended" && "$(<"$base/ended")" < "$1" ]]; then printf '%s\n' "$base"; fi
  done | tail -n 1
}

data="${1:?names the data directory of the new server}"
shift
goal="recovery_target_timeline = 'latest'"
while (($# > 0)); do
  case "$1" in
    --drill | --for-good) purpose="${1#--}"; shift ;;
    --base) base="$2"; shift 2 ;;
    --time)
      # The server would read it in a zone of its own.
      goal="recovery_target_time = '$(date -u -d "$2" '+%F %T.%6N+00')'"
      time="$(date -u -d "$2" +%Y%m%dT%H%M%S.%NZ)"
      shift 2
      ;;
    --name) goal="recovery_target_name = '$2'"; shift 2 ;;
    --latest) shift ;;
    *) fail "what is $1?" ;;
  esac
done
[[ -n "${purpose:-}" ]] || fail "say --drill, which archives nothing, or --for-good, which goes on with the archive"
if [[ -z "${base:-}" && -n "${time:-}" ]]; then
  base="$(ended_by "$time")"
  [[ -n "$base" ]] || fail "no base backup in $backups/base says that it had ended by $time: name one that was made before backups said so by --base"
fi
base="${base:-$(newest base)}"
check_sums "$base"
pg_verifybackup --quiet "$base/data"
if [[ -e "$data" ]] && [[ -n "$(ls -A "$data")" ]]; then fail "$data is not empty"; fi
mkdir -p "$data"
cp -a "$base/data/." "$data/"
if [[ -e "$base/empty-directories" ]]; then (cd "$data" && xargs --no-run-if-empty mkdir -p) <"$base/empty-directories"; fi
chmod 700 "$data"
# What an earlier restore has written is in every base backup of the server since.
sed -i "/^\(recovery_target\|restore_command\|archive_mode = 'off'\)/d" "$data/postgresql.auto.conf"
if [[ "$purpose" == drill ]]; then echo "archive_mode = 'off'" >>"$data/postgresql.auto.conf"; fi
scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
remote="${SLUICE_BACKUP_REMOTE:+SLUICE_BACKUP_REMOTE=\"$SLUICE_BACKUP_REMOTE\" }${RCLONE_CONFIG:+RCLONE_CONFIG=\"$RCLONE_CONFIG\" }"
cat >>"$data/postgresql.auto.conf" <<CONF
restore_command = '${remote}SLUICE_BACKUP_DIRECTORY="$backups" "$scripts/restore-wal.sh" %f %p'
$goal
recovery_target_action = 'promote'
CONF
touch "$data/recovery.signal"
printf 'Start the server on %s; it says "archive recovery complete" when it is there.\n' "$data"
