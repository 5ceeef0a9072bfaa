"""A receiver of the vault's webhooks: checks each signature, prints each event once.

    OPERATOR_WEBHOOK_SECRET=… PORT=4000 python3 examples/webhook_receiver.py

and the vault with OPERATOR_WEBHOOK_URL=http://127.0.0.1:4000/ and the same secret.
"""

import hashlib
import hmac
import json
import os
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Older is refused: somebody may have kept a message to send it again.
AGE_SECS_MAX = 300


def is_from_vault(body: bytes, header: str, secret: str, now_secs: float) -> bool:
    """body: the bytes as they came, before anything has parsed them."""
    found = re.fullmatch(r"t=(\d{1,12}),v1=([0-9a-f]{64})", header, re.ASCII)
    if found is None or abs(now_secs - int(found[1])) > AGE_SECS_MAX:
        return False
    message = found[1].encode() + b"." + body
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(found[2], expected)


class Receiver(BaseHTTPRequestHandler):
    secret = ""
    #: Delivered at least once: what was handled before is answered with 200 and left alone. A real
    #: receiver keeps these ids where it keeps what it does about them.
    handled: set[str] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        signature = self.headers.get("x-arbstrvault-signature", "")
        genuine = is_from_vault(body, signature, self.secret, time.time())
        if genuine:
            event = json.loads(body)
            if event["event_id"] not in self.handled:
                print(body.decode(), flush=True)
            self.handled.add(event["event_id"])
        self.send_response(200 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    Receiver.secret = os.environ["OPERATOR_WEBHOOK_SECRET"]
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "4000"))), Receiver).serve_forever()
