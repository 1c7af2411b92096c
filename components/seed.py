"""The random text from which the cluster's own keys and certificates are made."""

import pulumi
import pulumi_command as command


class Seed(pulumi.ComponentResource):
    """Makes 32 random bytes, in hexadecimal digits, once. Pulumi's state keeps them as a secret.

    Nobody has to choose, write down or renew it. `pulumi up --replace URN` makes another one, and with it other keys.
    """

    text: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:seed:Seed", name, {}, opts)
        made = command.local.Command(
            f"{name}-text",
            create="od -An -v -tx1 -N32 /dev/urandom | tr -d ' \\n'",
            logging=command.local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["stdout"],
                # A changed command would run again, and print other bytes.
                ignore_changes=["create"],
            ),
        )
        self.text = pulumi.Output.secret(made.stdout)
        self.register_outputs({})
