# shellcheck shell=sh disable=SC2154 # the scripts before set $container and $folder
# After look_beside.sh: runs the Python MODULE of the service's image with the arguments, and INPUT on its standard input.
printf '%s' "$INPUT" | docker exec -i --env-file "$folder/variables" "$container" python3 -m "$MODULE" "$@"
