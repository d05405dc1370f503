#!/bin/sh
# A desktop of eight by eight pixels that writes down what is done to it: /var/lib/screen/heard has a line for each message that acts.
set -eu
install -d -o learner -g learner /var/lib/screen
cat >/usr/local/lib/screen.py <<'E'
import os, socket, struct, threading

PLACE = "/run/labctl-desktop/learner/rfb"
REST = {0: 19, 3: 9, 4: 7, 5: 5, 150: 9, 250: 3, 255: 11}
PICTURE = struct.pack(">BxHHHHHi", 0, 1, 0, 0, 8, 8, 0) + (b"\0\0\0\0" + b"\xff\xff\xff\0") * 32
FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


def heard(line):
    with open("/var/lib/screen/heard", "a") as file:
        file.write(line + "\n")


def serve(connection):
    stream = connection.makefile("rb")

    def take(size):
        data = stream.read(size)
        if len(data) != size:
            raise EOFError
        return data

    connection.sendall(b"RFB 003.008\n")
    take(12)
    connection.sendall(b"\1\1")
    take(1)
    connection.sendall(bytes(4))
    take(1)
    connection.sendall(struct.pack(">HH", 8, 8) + FORMAT + struct.pack(">I", 6) + b"screen")
    while True:
        kind = take(1)[0]
        if kind == 2:
            take(4 * int.from_bytes(take(3)[1:], "big"))
        elif kind == 6:
            body = take(abs(struct.unpack(">3xi", take(7))[0]))
        elif kind == 248:
            take(take(8)[7])
        elif kind == 251:
            head = take(7)
            take(16 * head[5])
        else:
            body = take(REST[kind])
            if kind == 5 and body[0] & 0x80:
                take(1)
        if kind == 3:
            connection.sendall(PICTURE)
        elif kind not in (0, 2, 150, 248):
            heard(str(kind))


def watched(connection):
    try:
        serve(connection)
    except (EOFError, OSError):
        pass
    except Exception as fault:
        heard(f"fault {fault!r}")


listener = socket.socket(socket.AF_UNIX)
listener.bind(PLACE)
os.chmod(PLACE, 0o600)
listener.listen()
while True:
    threading.Thread(target=watched, args=(listener.accept()[0],), daemon=True).start()
E
cat >/etc/systemd/system/screen.service <<'E'
[Service]
User=learner
RuntimeDirectory=labctl-desktop/learner
RuntimeDirectoryMode=0700
ExecStart=/usr/bin/python3 /usr/local/lib/screen.py

[Install]
WantedBy=multi-user.target
E
systemctl daemon-reload
systemctl enable --now screen.service
