"""All settings, as frozen models that each validate themselves: one module a subject, and `stack.py` for the whole.

A field of type `SecretStr` is secret; nothing else lists secrets. What several settings must agree on is checked in
`settings/consistency.py`.

A validator's error says what is wrong with the value; `errors.py` adds the field, the value and the remedy. Where the
value is an object or a list, the validator itself names value and remedy.
"""

from settings.models.backup import Backup
from settings.models.hosts import Host, Ssh
from settings.models.images import Images
from settings.models.monitoring import Alerting
from settings.models.stack import Settings

__all__ = ["Alerting", "Backup", "Host", "Images", "Settings", "Ssh"]
