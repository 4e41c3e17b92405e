#!/usr/bin/env bash
# restore-keys.sh PRIVATE_KEY NAME [BACKUP]: prints the key file called NAME.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need openssl

backups="${SLUICE_BACKUP_KEYS_DIRECTORY:?names the directory of the keys}"
private="${1:?names the file with the private key}"
name="${2:?names the key file}"
backup="${3:-$(newest keys)}"
check_sums "$backup"
openssl cms -decrypt -inform DER -binary -in "$backup/$name.cms" -inkey "$private"
