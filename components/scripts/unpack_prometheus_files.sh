# shellcheck shell=sh
# In a container of Prometheus's image: replaces the files in FOLDER by those on standard input, if promtool accepts them.
#
# A line `==> PATH <==` precedes the lines of each file.
set -eu
cd "$FOLDER"
rm -rf new old
mkdir -p new/rules new/alerts
awk '/^==> .* <==$/ { if (file) close(file); file = "new/" $2; next } { print > file }'
promtool check config new/prometheus.yml
[ ! -e live ] || mv live old
mv new live
rm -rf old
