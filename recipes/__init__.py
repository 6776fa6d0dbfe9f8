"""Recipes to start from, one YAML file each. A package, so that an installed Tailor has them too.

Owns: no code. Here they are opened by their path; installed, by `resource("recipes", "quickstart.yaml")`.
"""
