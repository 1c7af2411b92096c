# shellcheck shell=sh disable=SC2154 # look_beside.sh sets $container and $folder
# After look_beside.sh: restores a backup with the Python MODULE of the service's image and the arguments. With
# `storage: directory` the service may only read the files. A container of its own then writes them, as their OWNER: it
# has their volume, and neither a network nor a secret. The two programs speak to each other.
if ! grep -qx 'FILE_TRANSFER_STORAGE=directory' "$folder/variables"; then
  docker exec -i --env-file "$folder/variables" "$container" python3 -m "$MODULE" "$@" </dev/null
  exit
fi
image=$(docker inspect --format '{{.Image}}' "$container")
files=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Name}}{{end}}{{end}}' "$container")
mkfifo "$folder/archive"
# shellcheck disable=SC2094 # a pipe is read while it is written
docker run --rm --interactive --user "$OWNER:$OWNER" --cap-drop ALL --security-opt no-new-privileges --network none \
  --read-only --tmpfs /tmp:size=64m --memory 512m --volume "$files:/data" --env-file "$folder/variables" "$image" \
  python3 -m "$MODULE" write <"$folder/archive" |
  docker exec -i --env-file "$folder/variables" "$container" python3 -m "$MODULE" "$@" --piped >"$folder/archive"
