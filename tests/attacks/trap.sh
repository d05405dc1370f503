#!/bin/sh
# A web app that turns against its visitors: it answers whatever headers the address asks for, and says what it was asked.
set -eu
mkdir -p /srv
cat > /srv/trap.py <<'PYTHON'
import base64, hashlib, http.server, json, urllib.parse

class Trap(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers()
            while self.rfile.read(1):
                pass
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        said = json.dumps({"path": self.path, "headers": self.headers.items(), "body": body.decode("latin-1")}).encode()
        self.send_response(200)
        for one in urllib.parse.parse_qs(url.query).get("h", []):
            name, _, value = one.partition(":")
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Trap).serve_forever()
PYTHON
cat > /etc/systemd/system/trap.service <<'UNIT'
[Unit]
Description=A web app that turns against its visitors
After=network.target

[Service]
ExecStart=/usr/bin/python3 /srv/trap.py
Restart=always

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now trap.service
