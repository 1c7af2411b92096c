#!/bin/sh
# Repairs SeaweedFS's volumes in the directory $1 before their volume server starts.
#
# After `kill -9` or a power failure, the end of a volume can lack in its index: the server syncs each volume and not
# its index. Or the last chunk of a volume is there in part. The server would never write to such a volume again, delete
# nothing from it, and not find the chunks that its index lacks. So the index is made again from the volume, and a chunk
# that is not complete is cut off. Nobody was told that it is stored.
set -eu
cd "$1"

# An entry of an index is the chunk's number, its offset in units of 8 bytes, and its size; each is big-endian, but the
# fifth byte of an offset, which only builds for volumes up to 8000 GB have, is its highest.
case $(weed version 2>/dev/null) in
  *8000GB*) offset_bytes=5 ;;
  *) offset_bytes=4 ;;
esac
entry_bytes=$((8 + offset_bytes + 4))

size_of() { stat -c %s "$1"; }

number() { echo $((($1 << 24) + ($2 << 16) + ($3 << 8) + $4)); }

# Sets `start` and `end` to where the last chunk in the index of the volume $1 starts and ends in the volume.
find_last_chunk() {
  # shellcheck disable=SC2046 # one argument for each byte
  set -- $(tail -c "$entry_bytes" "$1.idx" | od -An -v -tu1)
  shift 8
  start=$(number "$1" "$2" "$3" "$4")
  shift 4
  if [ "$offset_bytes" = 5 ]; then
    start=$((start + ($1 << 32)))
    shift
  fi
  start=$((start * 8))
  length=$(number "$1" "$2" "$3" "$4")
  [ "$length" != 4294967295 ] || length=0 # a deletion
  end=$((start + (16 + length + 4 + 8) / 8 * 8 + 8)) # header, checksum, time, and 1 to 8 bytes of padding
}

is_intact() {
  [ -s "$1.idx" ] && [ $(($(size_of "$1.idx") % entry_bytes)) = 0 ] || return 1
  find_last_chunk "$1"
  [ "$end" = "$(size_of "$1.dat")" ]
}

for file in *.dat; do
  volume=${file%.dat}
  # A volume without chunks has only its header of 8 bytes.
  if [ ! -e "$file" ] || [ "$(size_of "$file")" -le 8 ] || is_intact "$volume"; then
    continue
  fi
  echo "the last writes to volume $volume were interrupted: its index is made again" >&2
  weed -logtostderr=true fix "$PWD/$file"
  [ -s "$volume.idx" ] || continue
  find_last_chunk "$volume"
  if [ "$end" -gt "$(size_of "$file")" ]; then
    truncate -s $(($(size_of "$volume.idx") - entry_bytes)) "$volume.idx"
    end=$start
  fi
  truncate -s "$end" "$file"
done
