"""The config: one YAML file, checked before anything else happens."""
