"""The description of the HTTP API (OpenAPI 3.1), generated from pydantic models into functions/collect/openapi.json."""
