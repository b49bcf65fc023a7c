"""What a browser does with a presigned URL on a page of another origin: asks first, then sends, then lets the page read."""

import requests

ORIGIN = "https://page.example"
# Headers that a browser sends without asking.
SIMPLE = {"accept", "accept-language", "content-language", "range"}


class Kept(Exception):
    """The browser keeps the answer from the page, or does not send the request at all."""


def fetch(url: str, method: str = "GET", headers: dict | None = None, body: bytes | None = None,
          origin: str = ORIGIN) -> requests.Response:
    """`fetch()` in mode `cors`, as the Fetch standard has it, as far as a test needs it."""
    headers = {name.lower(): value for name, value in (headers or {}).items()}
    unsafe = sorted(set(headers) - SIMPLE)
    if method not in ("GET", "HEAD", "POST") or unsafe:
        asked = requests.options(url, timeout=10, headers={
            "Origin": origin, "Access-Control-Request-Method": method,
            **({"Access-Control-Request-Headers": ",".join(unsafe)} if unsafe else {}),
        })
        if not asked.ok or asked.headers.get("Access-Control-Allow-Origin") not in ("*", origin):
            raise Kept(f"the preflight: {asked.status_code} {asked.text}")
        methods = [one.strip() for one in asked.headers.get("Access-Control-Allow-Methods", "").split(",")]
        allowed = [one.strip().lower() for one in asked.headers.get("Access-Control-Allow-Headers", "").split(",")]
        if method not in methods or not all(name in allowed or "*" in allowed for name in unsafe):
            raise Kept(f"the preflight allows {methods} with {allowed}")
    answer = requests.request(method, url, headers={**headers, "Origin": origin}, data=body, timeout=10)
    if answer.headers.get("Access-Control-Allow-Origin") not in ("*", origin):
        raise Kept(f"the answer: {answer.status_code} {answer.text}")
    return answer


def exposed(answer: requests.Response) -> set:
    """The headers that the page may read beyond the simplest."""
    return {one.strip().lower() for one in answer.headers.get("Access-Control-Expose-Headers", "").split(",")}
