"""Weights from the web, over a session that serves files from memory."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
import requests
import torch
from requests.adapters import BaseAdapter
from safetensors.torch import save

from mer.decflow import import_weights
from mer.decflow.import_weights import fetch
from mer.decflow.weights import WeightsError, find_weights, list_weights
from tests.decflow.test_weights import run_command

URL = "https://host/there.safetensors"
DATA = save({"a": torch.zeros(3, 4), "bn.running_mean": torch.zeros(5)})


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Server(BaseAdapter):
    """Answers requests from a dictionary: address -> content, or `> address` for a redirect."""

    def __init__(self, files):
        super().__init__()
        self.files, self.requested = files, []

    def send(self, request, **_):
        self.requested.append(request.url)
        content = self.files.get(request.url)
        answer = requests.Response()
        answer.request, answer.url, answer.status_code = request, request.url, 404 if content is None else 200
        if content is not None and content.startswith(b"> "):
            answer.status_code, answer.headers["Location"] = 302, content[2:].decode()
        answer.raw = io.BytesIO(content or b"")
        return answer

    def close(self):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Serve these files over https, and no others; plain http is what a session makes of it."""

    def start(files):
        server, new_session = Server(files), import_weights.new_session

        def session():
            new = new_session()
            new.mount("https://", server)
            return new

        monkeypatch.setattr(import_weights, "new_session", session)
        return server

    return start


def test_fetched_weights_are_found_by_name_with_a_card_computed_from_them(serve, folder):
    serve({URL: DATA, "https://host/there.json": json.dumps({"licence": "CC0", "sha256": digest(DATA)}).encode()})
    shown = run_command(["fetch", URL, "--sha256", digest(DATA).upper()])
    assert shown.exit_code == 0, shown.output
    assert find_weights("there").read_bytes() == DATA
    card = next(card for card in list_weights() if card["name"] == "there")
    assert (card["parameters"], card["bytes"], card["source"], card["sha256"]) == (12, len(DATA), URL, digest(DATA))
    assert "licence" not in card  # the published card is not covered by the hash of the weights


def test_a_card_is_added_if_its_hash_is_given(serve, folder):
    published = json.dumps({"licence": "CC0", "sha256": digest(DATA), "name": "other"}).encode()
    serve({URL: DATA, "https://host/there.json": published})
    fetch(URL, digest(DATA), "got")
    shown = run_command(
        ["fetch", URL, "--sha256", digest(DATA), "--card-sha256", digest(published), "--name", "got"]
    )  # the weights are there already, the card is not
    assert shown.exit_code == 0, shown.output
    card = next(card for card in list_weights() if card["name"] == "got")
    assert (card["licence"], card["card_sha256"], card["file"]) == ("CC0", digest(published), "got.safetensors")


@pytest.mark.parametrize(
    ("published", "words"),
    [
        (b"{", "is not a card"),
        (b"[]", "not the card of these weights"),
        (json.dumps({"sha256": "0" * 64}).encode(), "not the card of these weights"),
        (None, "cannot be fetched"),
    ],
)
def test_nothing_is_kept_if_the_card_is_wrong(serve, folder, published, words):
    serve({URL: DATA} | ({} if published is None else {"https://host/there.json": published}))
    with pytest.raises(WeightsError, match=words):
        fetch(URL, digest(DATA), "got", digest(published or b""))
    assert not list(folder.glob("*"))


@pytest.mark.parametrize(
    ("url", "expected", "name", "words"),
    [
        (URL, "0" * 64, "got", "does not have the SHA-256 0000"),
        (URL, "12", "got", "'12' is not a SHA-256"),
        ("https://host/missing.safetensors", digest(DATA), "got", "cannot be fetched"),
        ("https://host/text.safetensors", digest(b"no weights"), "got", "not a readable safetensors file"),
        ("http://host/there.safetensors", digest(DATA), "got", "fetched over https"),
        ("file:///there.safetensors", digest(DATA), "got", "fetched over https"),
        ("https://host/redirect.safetensors", digest(DATA), "got", "cannot be fetched .*http://"),
        (URL, digest(DATA), "../got", "not a valid name for weights"),
    ],
)
def test_nothing_is_kept_of_a_wrong_file(serve, folder, url, expected, name, words):
    redirect = {"https://host/redirect.safetensors": b"> http://host/there.safetensors"}
    server = serve({URL: DATA, "https://host/text.safetensors": b"no weights", **redirect})
    with pytest.raises(WeightsError, match=words):
        fetch(url, expected, name)
    assert not list(folder.glob("*"))
    assert all(address.startswith("https://") for address in server.requested)


def test_a_redirect_to_https_is_followed(serve, folder):
    serve({"https://mirror/x.safetensors": b"> " + URL.encode(), URL: DATA})
    assert fetch("https://mirror/x.safetensors", digest(DATA), "got").read_bytes() == DATA


def test_a_file_over_the_limit_is_not_kept(serve, folder, monkeypatch):
    monkeypatch.setattr(import_weights, "LARGEST", len(DATA) - 1)
    serve({URL: DATA})
    with pytest.raises(WeightsError, match="is larger than"):
        fetch(URL, digest(DATA), "got")
    assert not list(folder.glob("*"))


def test_wrong_weights_do_not_replace_older_ones(serve, folder):
    serve({URL: DATA})
    path = fetch(URL, digest(DATA), "got")
    card = path.with_suffix(".json").read_bytes()
    with pytest.raises(WeightsError):
        fetch(URL, "0" * 64, "got")
    assert path.read_bytes() == DATA
    assert path.with_suffix(".json").read_bytes() == card
