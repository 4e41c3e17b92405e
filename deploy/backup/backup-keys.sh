#!/usr/bin/env bash
# The keys, apart from all else: who has a dump and no keys has no secret, and who has lost the keys has lost every secret. Each file
# in SLUICE_BACKUP_KEY_FILES (SLUICE_MASTER_KEYS_FILE, SLUICE_AUTH_SIGNING_KEYS_FILE; between spaces) is encrypted for the holder of the
# certificate SLUICE_BACKUP_KEY_CERTIFICATE, whose private key lies with people, on paper or on a card, never on this machine.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

directory="${SLUICE_BACKUP_KEYS_DIRECTORY:?names the directory that keys are written to}"
certificate="${SLUICE_BACKUP_KEY_CERTIFICATE:?names the certificate that they are encrypted for}"
mkdir -p "$directory" "$backups"
case "$(realpath "$directory")/" in
  "$(realpath "$backups")"/*) fail "keys do not lie with the backups: $directory is in $backups" ;;
esac
SLUICE_BACKUP_METRICS_DIRECTORY="${SLUICE_BACKUP_METRICS_DIRECTORY:-$backups/metrics}"
backups="$directory"
unset SLUICE_BACKUP_REMOTE
begin keys
need openssl
for file in ${SLUICE_BACKUP_KEY_FILES:?names the files with keys}; do
  openssl cms -encrypt -binary -aes-256-gcm -outform DER -in "$file" -out "$target/$(basename "$file").cms" "$certificate"
  # By it one sees, without the key, whether it is the one that is in use.
  openssl dgst -sha256 -r "$file" | cut -d ' ' -f 1 >"$target/$(basename "$file").sha256"
done
finish
