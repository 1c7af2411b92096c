# shellcheck shell=sh
# Removes REPOSITORY's images except the one with TAG and those that are in use. It follows image_removal.sh.
for image in $(references_of "$REPOSITORY"); do
  [ "$image" = "$REPOSITORY:$TAG" ] || remove "$image" 2>/dev/null || true
done
