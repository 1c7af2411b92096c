# shellcheck shell=sh
# Removes the images in the arguments. It follows image_removal.sh.
remove_all "$@"
