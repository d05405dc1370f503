#!/bin/bash
# One way to do it.
cat > safe.py << 'PROGRAM'
import sqlite3

db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE products (name TEXT)")
db.executemany("INSERT INTO products VALUES (?)", [("lamp",), ("lantern",)])
typed = "zzz' OR '1'='1"
print("pasted: ", db.execute(f"SELECT name FROM products WHERE name = '{typed}'").fetchall())
print("beside: ", db.execute("SELECT name FROM products WHERE name = ?", (typed,)).fetchall())
PROGRAM
