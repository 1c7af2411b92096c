"""Stand-ins for two Pulumi provider plugins, for machines where the real ones cannot be had.

They cover only the resource types that the program uses. They behave like the real plugins: they accept the same
inputs, update or replace on the same changes, and find the same at a refresh. They do not wait, while the real docker
provider sleeps two seconds or more around each service.
"""
