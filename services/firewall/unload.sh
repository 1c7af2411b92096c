#!/bin/sh
# Removes all rules of the firewall. Without any, it does nothing.
set -eu
nft 'add table inet swarm_transfer; delete table inet swarm_transfer'
