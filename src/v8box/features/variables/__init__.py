"""Variables and secrets in the admin API: `/api/v1/projects/{project}/variables`, `/api/v1/encryption`."""
