"""SQLAlchemy over PyMySQL: reflection and the ORM. Connects by MY* variables."""
import json
import os
import sys

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError


def show(name, value):
    print(f"{name}: {json.dumps(value, default=repr, sort_keys=True)}", flush=True)


ca = os.environ.get("MYCA")
engine = create_engine(
    "mysql+pymysql://", connect_args={
        "host": os.environ["MYHOST"], "port": int(os.environ["MYPORT"]), "user": os.environ["MYUSER"],
        "password": os.environ["MYPASSWORD"], "database": os.environ["MYDATABASE"], "charset": "utf8mb4",
        **({"ssl": {"ca": ca}} if ca else {})})
inspector = inspect(engine)
show("tables", sorted(inspector.get_table_names()))
show("columns", [[c["name"], str(c["type"]), c["nullable"]] for c in inspector.get_columns("items")])
show("keys", [inspector.get_pk_constraint("sales"), inspector.get_foreign_keys("sales"), inspector.get_indexes("sales")])
metadata = MetaData()
metadata.reflect(bind=engine)
items = metadata.tables["items"]
with engine.connect() as connection:
    show("selected", [list(row) for row in connection.execute(select(items.c.id, items.c.name, items.c.data).order_by(items.c.id))])
    show("bound", connection.execute(select(items.c.name).where(items.c.id == 2)).scalar_one())
made = Table("made", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(20)))
made.drop(engine, checkfirst=True)
made.create(engine)
with engine.begin() as connection:
    connection.execute(made.insert(), [{"id": n, "name": f"n{n}"} for n in range(1, 11)])
    connection.execute(made.update().where(made.c.id > 5).values(name="more"))
    show("made", [list(row) for row in connection.execute(select(made).order_by(made.c.id))])
    try:
        with connection.begin_nested():
            connection.execute(text("SELECT nope"))
    except SQLAlchemyError as error:
        show("refused", str(error.orig))
    show("after", connection.execute(text("SELECT count(*) FROM made")).scalar_one())
made.drop(engine)
