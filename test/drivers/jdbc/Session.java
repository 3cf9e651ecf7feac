import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** The PostgreSQL JDBC driver: what it sees of a server. Prints one line per observation; connects by PG* variables. */
public class Session {
  static Connection connect(String... more) throws SQLException {
    Properties p = new Properties();
    p.setProperty("user", env("PGUSER"));
    p.setProperty("password", env("PGPASSWORD"));
    p.setProperty("sslmode", env("PGSSLMODE"));
    if (System.getenv("PGSSLROOTCERT") != null) p.setProperty("sslrootcert", env("PGSSLROOTCERT"));
    for (int i = 0; i < more.length; i += 2) p.setProperty(more[i], more[i + 1]);
    return DriverManager.getConnection("jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT") + "/" + env("PGDATABASE"), p);
  }

  static String env(String name) { return System.getenv(name); }
  static void show(String name, Object value) { System.out.println(name + ": " + value); }

  static String rows(ResultSet r) throws SQLException {
    StringBuilder out = new StringBuilder();
    int n = r.getMetaData().getColumnCount();
    while (r.next()) {
      for (int i = 1; i <= n; i++) {
        Object v = r.getObject(i);
        out.append(i > 1 ? "|" : "").append(v instanceof byte[] ? ((byte[]) v).length + " bytes" : v);
      }
      out.append(";");
    }
    return out.toString();
  }

  static String kinds(ResultSet r) throws SQLException {
    StringBuilder out = new StringBuilder();
    int n = r.getMetaData().getColumnCount();
    while (r.next()) {
      for (int i = 1; i <= n; i++) {
        Object v = r.getObject(i);
        out.append(v == null ? "null" : v.getClass().getSimpleName()).append(" ");
      }
      out.append("; ");
    }
    return out.toString();
  }

  static void refused(String name, Statement s, String query) {
    try {
      s.execute(query);
      show(name, "no error");
    } catch (SQLException e) {
      var m = ((PSQLException) e).getServerErrorMessage();
      show(name, e.getSQLState() + " " + m.getMessage() + " " + m.getDetail() + " " + m.getPosition() + " " + m.getConstraint());
    }
  }

  static void session() throws Exception {
    for (String mode : new String[] {"extended", "simple", "extendedForPrepared", "extendedCacheEverything"}) {
      try (Connection c = connect("preferQueryMode", mode, "prepareThreshold", "2")) {
        String seen = "";
        try (PreparedStatement p = c.prepareStatement("SELECT id, name, price, made, uid, mood, tags, raw FROM shop.items WHERE id = ?")) {
          for (int i = 1; i < 8; i++) {
            p.setInt(1, i);
            seen = rows(p.executeQuery());
          }
        }
        show("row in " + mode, seen);
        try (Statement s = c.createStatement()) {
          refused("undefined", s, "SELECT nope FROM shop.items");
          refused("unique", s, "INSERT INTO shop.items (id, name, price) VALUES (1, 'x', 1)");
          refused("check", s, "INSERT INTO shop.items (id, name, price) VALUES (90, 'x', -1)");
          refused("syntax", s, "SELEC 1");
          s.execute("SELECT 1; SELECT 2; UPDATE shop.items SET price = 2 WHERE id = 3");
          show("several", rows(s.getResultSet()) + s.getMoreResults() + rows(s.getResultSet()) + s.getMoreResults() + s.getUpdateCount());
        }
        try (PreparedStatement p = c.prepareStatement("INSERT INTO shop.sales (item_id, quantity) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
          for (int i = 1; i < 40; i++) { p.setInt(1, 1); p.setInt(2, i); p.addBatch(); }
          show("batch", p.executeBatch().length);
          ResultSet keys = p.getGeneratedKeys();
          int n = 0;
          while (keys.next()) n++;
          show("keys", n);
        }
      }
    }
    try (Connection c = connect()) {
      DatabaseMetaData m = c.getMetaData();
      show("product", m.getDatabaseProductName() + " " + m.getDatabaseMajorVersion());
      show("tables", rows(m.getTables(null, "shop", "%", new String[] {"TABLE", "VIEW"})));
      show("columns", rows(m.getColumns(null, "shop", "%", "%")));
      show("keys", rows(m.getPrimaryKeys(null, "shop", "items")) + rows(m.getImportedKeys(null, "shop", "sales")));
      show("indexes", rows(m.getIndexInfo(null, "shop", "items", false, true)));
      show("functions", rows(m.getFunctions(null, "shop", "%")).replaceAll("double_\\d+", "double_N"));
      show("schemas", rows(m.getSchemas()));
      show("privileges", rows(m.getTablePrivileges(null, "shop", "items")).length() > 0);

      c.setAutoCommit(false);
      try (Statement s = c.createStatement()) {
        s.setFetchSize(7);
        show("fetched", rows(s.executeQuery("SELECT id FROM shop.items ORDER BY id")));
        s.setMaxRows(3);
        show("limited", rows(s.executeQuery("SELECT id FROM shop.items ORDER BY id")));
        s.setMaxRows(0);
        Savepoint here = c.setSavepoint();
        refused("in transaction", s, "SELECT 1/0");
        refused("aborted", s, "SELECT 1");
        c.rollback(here);
        show("savepoint", rows(s.executeQuery("SELECT 'back'")));
      }
      c.rollback();
      try (Statement s = c.createStatement()) {
        s.execute("CREATE TEMP TABLE loaded (id int, name text)");
        var copy = c.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 5000; i++) lines.append(i).append("\tname\n");
        show("copied", copy.copyIn("COPY loaded FROM STDIN", new StringReader(lines.toString())));
        StringWriter out = new StringWriter();
        show("out", copy.copyOut("COPY (SELECT id, name FROM shop.items ORDER BY id) TO STDOUT", out) + out.toString());
        s.setQueryTimeout(1);
        refused("timeout", s, "SELECT pg_sleep(30)");
      }
      c.rollback();
      c.setAutoCommit(true);
      try (Statement s = c.createStatement()) {
        Thread t = new Thread(() -> { try { Thread.sleep(200); s.cancel(); } catch (Exception e) { throw new RuntimeException(e); } });
        t.start();
        refused("cancelled", s, "SELECT pg_sleep(30)");
        t.join();
        show("after", rows(s.executeQuery("SELECT 1")));
        s.execute("LISTEN news");
        s.execute("NOTIFY news, 'hello'");
        var notes = c.unwrap(PGConnection.class).getNotifications(2000);
        show("notify", notes[0].getName() + notes[0].getParameter() + (notes[0].getPID() == c.unwrap(PGConnection.class).getBackendPID()));
        s.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
        show("warning", s.getWarnings());
        ResultSet r = s.executeQuery("SELECT * FROM shop.items WHERE id = 1");
        StringBuilder meta = new StringBuilder();
        for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
          meta.append(r.getMetaData().getColumnTypeName(i)).append(r.getMetaData().isNullable(i)).append(" ");
        show("metadata", meta);
      }
      try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
        ResultSet r = s.executeQuery("SELECT id, price FROM shop.items ORDER BY id");
        r.absolute(5);
        r.updateInt("price", 55);
        r.updateRow();
        show("updatable", r.getInt(1));
      }
    }
  }

  static void masked() throws Exception {
    for (String binary : new String[] {"true", "false"}) {
      try (Connection c = connect("binaryTransfer", binary, "prepareThreshold", "1")) {
        try (PreparedStatement p = c.prepareStatement("SELECT * FROM crm.people ORDER BY id")) {
          for (int i = 0; i < 3; i++) show("types binary=" + binary, kinds(p.executeQuery()));
        }
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
          s.setFetchSize(1);
          show("fetched", kinds(s.executeQuery("SELECT * FROM crm.people ORDER BY id")));
          show("kept", rows(s.executeQuery("SELECT id, note FROM crm.people ORDER BY id")));
          StringWriter out = new StringWriter();
          show("copy", c.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY crm.people TO STDOUT", out));
        }
      }
    }
  }

  static void ruled() throws Exception {
    try (Connection c = connect()) {
      c.setAutoCommit(false);
      try (Statement s = c.createStatement()) {
        s.execute("UPDATE shop.items SET price = 5 WHERE id = 1");
        Savepoint here = c.setSavepoint();
        try {
          s.execute("DELETE FROM shop.sales");
        } catch (SQLException e) {
          show("refused", e.getSQLState());
        }
        refused("aborted", s, "SELECT 1");
        c.rollback(here);
        show("recovered", rows(s.executeQuery("SELECT price FROM shop.items WHERE id = 1")));
        c.commit();
      }
      c.setAutoCommit(true);
      try (PreparedStatement p = c.prepareStatement("DELETE FROM shop.sales WHERE id = ?")) {
        for (int i = 0; i < 3; i++) { p.setInt(1, i); p.addBatch(); }
        p.executeBatch();
      } catch (BatchUpdateException e) {
        show("batch refused", e.getSQLState());
      }
      try (Statement s = c.createStatement()) {
        show("after", rows(s.executeQuery("SELECT count(*) FROM shop.sales")));
      }
    }
  }

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "session" -> session();
      case "masked" -> masked();
      case "ruled" -> ruled();
      default -> throw new IllegalArgumentException(args[0]);
    }
  }
}
