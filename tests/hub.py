"""A hub of models on loopback: repositories with commits and a branch, answered as huggingface_hub asks for them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


@dataclass
class Hub:
    """What was pushed, and which files were fetched."""

    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    """Model -> commit of its main branch."""
    fetched: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, server: HTTPServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
        """The hub that huggingface_hub asks from now on, with an empty cache."""
        from huggingface_hub import constants

        made, address = cls(), server.url_for("").rstrip("/")
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        settings = {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": False, "ENDPOINT": address}
        for name, value in {**settings, "HUGGINGFACE_CO_URL_TEMPLATE": template}.items():
            monkeypatch.setattr(constants, name, value)
        server.expect_request(re.compile("/.*")).respond_with_handler(made.answer)
        return made

    def push(self, model: str, folder: Path, card: str = "") -> str:
        """Moves the branch to what the folder holds, with the licence on its card where one is given; the commit."""
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        files = {name: path.read_bytes() for name, path in found.items()}
        files |= {"README.md": f"---\nlicense: {card}\n---\n".encode()} if card else {}
        told = [model, {name: _digest(content) for name, content in sorted(files.items())}]
        commit = hashlib.sha1(json.dumps(told).encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = files
        self.branches[model] = commit
        return commit

    def answer(self, request: Request) -> Response:
        asked = re.fullmatch(
            r"(?:/api/models)?/(?P<model>[^/]+/[^/]+)/(?P<what>revision|tree|resolve)/(?P<at>[^/]+)/?(?P<file>.*)",
            request.path,
        )
        if asked is None or asked["model"] not in self.branches:
            return Response(status=401, headers={"X-Error-Code": "RepoNotFound"})
        commit = self.branches[asked["model"]] if asked["at"] == "main" else asked["at"]
        files = self.commits.get(commit)
        if files is None:
            return Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        if asked["what"] == "revision":
            return _json({"id": asked["model"], "sha": commit, "siblings": []})
        if asked["what"] == "tree":
            rows = [(name, len(content), _digest(content)) for name, content in files.items()]
            return _json([{"type": "file", "path": name, "size": size, "oid": oid} for name, size, oid in rows])
        if asked["file"] not in files:
            return Response(status=404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content = files[asked["file"]]
        if request.method == "GET":
            self.fetched.append(asked["file"])
        return Response(content, headers={"ETag": f'"{_digest(content)}"', "X-Repo-Commit": commit})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: object) -> Response:
    return Response(json.dumps(value), content_type="application/json")
