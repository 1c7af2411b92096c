"""The policy pack: `pulumi preview --policy-pack policy`."""

from swarm_policy.pack import main

main()
