"""A small web shop that is vulnerable on purpose. It belongs on a closed lab network and nowhere else.

    shop.py ADDRESS INTERFACE

It listens on that address and that network card, and at port 8080 of its own 127.0.0.1, where labctl finds it for the learner's
browser; nowhere else. The database is made anew for every request, in memory, so that no
learner can destroy it; the flag is read from its file each time.
"""

import html
import http.server
import pathlib
import socket
import socketserver
import sqlite3
import sys
import threading
import urllib.parse

FLAG = pathlib.Path("/srv/shop/flag")

PRODUCTS = [
    ("Desk lamp", "A lamp with one arm and two joints.", 29.90),
    ("Reading lamp", "Warm light, and a clip for the shelf.", 19.50),
    ("Storm lantern", "Burns in wind. Made of tin.", 34.00),
    ("Paper lantern", "For parties. Not for storms.", 4.20),
    ("Candle", "Burns six hours.", 1.80),
]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lamp &amp; Lantern</title></head>
<body>
<h1>Lamp &amp; Lantern</h1>
<p><a href="/">All goods</a> | <a href="/staff">Staff</a></p>
<form action="/search"><label>Search <input name="q" value="{query}"></label> <button>Go</button></form>
{content}
</body></html>
"""


def database():
    """Goods, staff, and a table that no page was meant to show."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE products (name TEXT, text TEXT, price REAL)")
    db.executemany("INSERT INTO products VALUES (?, ?, ?)", PRODUCTS)
    db.execute("CREATE TABLE staff (login TEXT, password TEXT)")
    db.execute("INSERT INTO staff VALUES ('martha', 'not-in-any-word-list-7f3a')")
    db.execute("CREATE TABLE secrets (name TEXT, value TEXT)")
    flag = FLAG.read_text(encoding="utf-8").strip() if FLAG.exists() else "not yet set"
    db.execute("INSERT INTO secrets VALUES ('flag', ?)", (flag,))
    return db


def goods(db, query):
    # The flaw of the course: what a visitor typed becomes part of the statement.
    statement = f"SELECT name, text, price FROM products WHERE name LIKE '%{query}%' ORDER BY name"
    try:
        rows = db.execute(statement).fetchall()
    except sqlite3.Error as error:
        return f"<p>The database says: {html.escape(str(error))}</p><pre>{html.escape(statement)}</pre>"
    if not rows:
        return "<p>Nothing found.</p>"
    cells = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr><th>Article</th><th>Description</th><th>Price</th></tr>{cells}</table>"


def staff(db, login, password):
    if not login:
        return (
            '<form action="/staff"><label>Login <input name="login"></label> '
            '<label>Password <input name="password" type="password"></label> <button>Enter</button></form>'
        )
    # The same flaw a second time, in the place where it hurts most.
    statement = f"SELECT login FROM staff WHERE login = '{login}' AND password = '{password}'"
    try:
        found = db.execute(statement).fetchone()
    except sqlite3.Error as error:
        return f"<p>The database says: {html.escape(str(error))}</p>"
    return f"<p>Welcome, {html.escape(str(found[0]))}. There is nothing to do today.</p>" if found else "<p>Wrong login or password.</p>"


class Shop(http.server.BaseHTTPRequestHandler):
    server_version = "LampAndLantern/1.0"
    timeout = 20

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        given = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        query = given.get("q", "")
        db = database()
        if url.path in ("/", "/search"):
            self.answer(200, query, goods(db, query))
        elif url.path == "/staff":
            self.answer(200, "", staff(db, given.get("login", ""), given.get("password", "")))
        else:
            self.answer(404, "", "<p>There is no such page.</p>")
        db.close()

    def answer(self, status, query, content):
        body = PAGE.format(query=html.escape(query, quote=True), content=content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    allow_reuse_address = True

    def __init__(self, address, port, interface):
        super().__init__((address, port), Shop, bind_and_activate=False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self.server_bind()
        self.server_activate()

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would look up the host's name, and wait
        self.server_name, self.server_port = self.server_address


if __name__ == "__main__":
    lab, own = Server(sys.argv[1], 80, sys.argv[2]), Server("127.0.0.1", 8080, "lo")
    threading.Thread(target=own.serve_forever, daemon=True).start()
    lab.serve_forever()
