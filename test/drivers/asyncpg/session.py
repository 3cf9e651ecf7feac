"""asyncpg (binary formats only): what it sees of a server. Prints one line per observation; connects by PG* variables."""
import asyncio
import io
import json
import ssl
import os
import sys

import asyncpg


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def fields(error):
    return [error.sqlstate, str(error), error.detail, error.hint, error.position, error.table_name,
            error.column_name, error.constraint_name]


async def refused(conn, name, query, *args):
    try:
        await conn.fetch(query, *args)
        show(name, "no error")
    except asyncpg.PostgresError as error:
        show(name, fields(error))


def connect(**more):
    # asyncpg 0.27 does not read PGSSLROOTCERT; the rest of PG* it does.
    root = os.environ.get("PGSSLROOTCERT")
    context = ssl.create_default_context(cafile=root) if root else False
    return asyncpg.connect(ssl=context, **more)


async def session():
    conn = await connect()
    query = "SELECT * FROM shop.items WHERE id = $1"
    for n in (1, 2, 3):
        row = await conn.fetchrow(query, n)
    show("row", [[type(v).__name__, str(v)] for v in row.values()])
    statement = await conn.prepare("SELECT $1::int + id AS n, mood FROM shop.items WHERE price > $2 ORDER BY id LIMIT 3")
    show("attributes", [[a.name, a.type.name] for a in statement.get_attributes()])
    show("parameters", [p.name for p in statement.get_parameters()])
    show("prepared", [tuple(r) for r in await statement.fetch(10, 2)])
    await refused(conn, "undefined", "SELECT nope FROM shop.items")
    await refused(conn, "unique", "INSERT INTO shop.items (id, name, price) VALUES ($1, 'x', 1)", 1)
    await refused(conn, "check", "INSERT INTO shop.items (id, name, price) VALUES (90, 'x', $1)", -1)
    await refused(conn, "syntax", "SELEC 1")
    show("several", await conn.execute("SELECT 1; UPDATE shop.items SET price = 2 WHERE id < 4"))
    await conn.executemany("INSERT INTO shop.sales (item_id, quantity) VALUES ($1, $2)", [(1, n) for n in range(1, 500)])
    show("counted", await conn.fetchval("SELECT count(*) FROM shop.sales"))
    async with conn.transaction():
        ids = []
        async for record in conn.cursor("SELECT id FROM shop.items ORDER BY id", prefetch=7):
            ids.append(record["id"])
        show("cursor", ids)
        try:
            async with conn.transaction():
                await conn.execute("DELETE FROM shop.sales")
                await conn.fetch("SELECT 1/0")
        except asyncpg.PostgresError as error:
            show("inner", fields(error))
        show("kept", await conn.fetchval("SELECT count(*) FROM shop.sales"))
    await conn.execute("CREATE TEMP TABLE loaded (id int, name text)")
    show("copy in", await conn.copy_records_to_table("loaded", records=[(n, f"n {n}") for n in range(5000)]))
    show("copy text", await conn.copy_to_table("loaded", source=io.BytesIO(b"1\tx\n2\ty\n")))
    out = io.BytesIO()
    show("copy out", await conn.copy_from_query("SELECT id, name FROM shop.items ORDER BY id", output=out))
    show("text", out.getvalue().decode())
    try:
        await conn.fetch("SELECT pg_sleep(30)", timeout=0.2)
    except asyncio.TimeoutError:
        show("timed out", True)
    show("after cancel", await conn.fetchval("SELECT 1"))
    heard = asyncio.Queue()
    await conn.add_listener("news", lambda c, pid, channel, payload: heard.put_nowait([pid == other.get_server_pid(), channel, payload]))
    other = await connect()
    await other.execute("NOTIFY news, 'hello'")
    show("notify", await asyncio.wait_for(heard.get(), 5))
    show("settings", [conn.get_settings().server_encoding, conn.get_settings().TimeZone])
    show("version", list(conn.get_server_version()))
    await conn.reset()
    await other.close()
    await conn.close()
    pool = await asyncpg.create_pool(min_size=2, max_size=4, ssl=ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"]))
    show("pool", sorted(await asyncio.gather(*[pool.fetchval("SELECT $1::int", n) for n in range(30)])))
    await pool.close()


async def masked():
    conn = await connect()
    query = "SELECT * FROM crm.people ORDER BY id"
    for _ in range(2):
        rows = await conn.fetch(query)
    show("types", [[type(v).__name__ for v in r.values()] for r in rows])
    show("kept", [[r["id"], r["note"]] for r in rows])
    async with conn.transaction():
        show("cursor", len([r async for r in conn.cursor(query, prefetch=1)]))
    for form in ("text", "binary", "csv"):
        out = io.BytesIO()
        await conn.copy_from_table("people", schema_name="crm", output=out, format=form)
        show(form, len(out.getvalue()) > 0)
    await conn.close()


async def ruled():
    conn = await connect()
    async with conn.transaction():
        await conn.execute("UPDATE shop.items SET price = 5 WHERE id = 1")
        try:
            async with conn.transaction():
                await conn.execute("DELETE FROM shop.sales WHERE id = $1", 1)
        except asyncpg.InsufficientPrivilegeError as error:
            show("refused", error.sqlstate)
        show("recovered", str(await conn.fetchval("SELECT price FROM shop.items WHERE id = 1")))
    try:
        async with conn.transaction():
            await refused(conn, "refused too", "DELETE FROM shop.nothing")
            await conn.fetch("SELECT 1")
    except asyncpg.PostgresError as error:
        show("aborted", error.sqlstate)
    show("after", await conn.fetchval("SELECT 1"))
    await conn.close()


asyncio.run({"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]())
