"""All that knows gunicorn from inside: its worker, its master process, its log, and the bodies of its requests.

These modules extend classes of gunicorn and use what it does not document, so another release of gunicorn may break
them, but nothing else. Only `file_transfer.server` uses gunicorn as well, from outside: it sets its options.
"""
