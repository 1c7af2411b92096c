# shellcheck shell=sh disable=SC2154 # the scripts before set $container and $folder
# After look_beside.sh, for a restore with `storage: directory`, where the service may only read the files. It is done by
# two programs that speak to each other: the Python MODULE of the service's image with the arguments, and a container that
# writes the files as their OWNER, with their volume and neither a network nor a secret.
if grep -qx 'FILE_TRANSFER_STORAGE=directory' "$folder/variables"; then
  image=$(docker inspect --format '{{.Image}}' "$container")
  files=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Name}}{{end}}{{end}}' "$container")
  mkfifo "$folder/archive"
  # shellcheck disable=SC2094 # a pipe is read while it is written
  docker run --rm --interactive --user "$OWNER:$OWNER" --cap-drop ALL --security-opt no-new-privileges --network none \
    --read-only --tmpfs /tmp:size=64m --memory 512m --volume "$files:/data" --env-file "$folder/variables" "$image" \
    python3 -m "$MODULE" write <"$folder/archive" |
    docker exec -i --env-file "$folder/variables" "$container" python3 -m "$MODULE" "$@" --piped >"$folder/archive"
  exit
fi
