# shellcheck shell=sh
# On a manager: makes NODE active, with ROLE and exactly the labels in the arguments, each as KEY=VALUE.
set -eu
removals=''
# shellcheck disable=SC2016 # docker's template, not the shell's
keys='{{range $key, $value := .Spec.Labels}}{{println $key}}{{end}}'
for key in $(docker node inspect "$NODE" --format "$keys"); do
  wanted=''
  for label in "$@"; do
    [ "${label%%=*}" != "$key" ] || wanted=yes
  done
  [ -n "$wanted" ] || removals="$removals --label-rm $key"
done
for label in "$@"; do
  set -- "$@" --label-add "$label"
  shift
done
# shellcheck disable=SC2086 # the removals are several words
change_node update --availability active --role "$ROLE" $removals "$@" "$NODE"
[ "$ROLE" = manager ] || await_demotion "$NODE"
