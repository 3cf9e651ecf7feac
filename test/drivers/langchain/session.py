"""LangChain's SQLDatabase and the tools an agent gets of its toolkit. Prints one line per observation; connects by PG* variables."""
import json
import sys
import warnings

warnings.simplefilter("ignore")

from langchain_community.tools.sql_database.tool import InfoSQLDatabaseTool, ListSQLDatabaseTool, QuerySQLDatabaseTool
from langchain_community.utilities import SQLDatabase


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def database(schema):
    # It says SET search_path before each statement, because it has a schema.
    return SQLDatabase.from_uri("postgresql+psycopg2://", schema=schema, view_support=True, sample_rows_in_table_info=2)


def session():
    db = database("shop")
    show("dialect", db.dialect)
    show("tables", sorted(db.get_usable_table_names()))
    show("info", db.get_table_info(["items", "sales", "cheap"]))
    show("tool: list", ListSQLDatabaseTool(db=db).invoke({}))
    show("tool: info", InfoSQLDatabaseTool(db=db).invoke({"table_names": "items, sales"}))
    query = QuerySQLDatabaseTool(db=db)
    show("tool: query", query.invoke({"query": "SELECT name, price FROM items ORDER BY id LIMIT 3"}))
    show("tool: mistake", query.invoke({"query": "SELECT nme FROM items"}))
    show("run", db.run("UPDATE items SET price = price + 1 WHERE id = 1 RETURNING price", include_columns=True))


def masked():
    db = database("crm")
    db.get_table_info(["people"])
    show("kept", db.run("SELECT id, note FROM people ORDER BY id"))
    show("columns", list(db.run("SELECT * FROM people ORDER BY id LIMIT 1", fetch="one", include_columns=True) and []))


def ruled():
    query = QuerySQLDatabaseTool(db=database("shop"))
    # What a model reads: words it can act on, not a traceback.
    said = query.invoke({"query": "DELETE FROM sales"})
    show("refused", "42501" if "InsufficientPrivilege" in said and "sales are not deleted" in said else said)
    show("recovered", query.invoke({"query": "SELECT count(*) FROM sales"}))


{"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]()
