"""Makes the artifacts that `infra/template.yaml` deploys."""
