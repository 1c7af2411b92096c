# shellcheck shell=sh
# Removes every image of REPOSITORY. It follows image_removal.sh.
# shellcheck disable=SC2046 # the images are several words
remove_all $(references_of "$REPOSITORY")
