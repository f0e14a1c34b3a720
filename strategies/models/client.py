"""The client that asks an OpenAI-compatible server: one request at a time as it is told to, and to that address alone."""

from __future__ import annotations

from typing import Any

from strategies.models.retry import bounded


def client_for(base_url: str, key: str, seconds: float, local: bool) -> Any:
    """Its own retries are off. It follows no redirect, and where the server is on this machine uses no proxy."""
    import openai

    http = openai.DefaultHttpxClient(
        follow_redirects=False,
        trust_env=not local,
        timeout=seconds,
        event_hooks={"response": [lambda response: bounded(response, seconds)]},
    )
    return openai.OpenAI(api_key=key, base_url=base_url, timeout=seconds, max_retries=0, http_client=http)
