import java.sql.*;
import java.util.Properties;

/** MariaDB Connector/J: what it sees of a server. Prints one line per observation; connects by MY* variables. */
public class Session {
  static String env(String name) { return System.getenv(name); }
  static void show(String name, Object value) { System.out.println(name + ": " + value); }

  static Connection connect(String... more) throws SQLException {
    Properties p = new Properties();
    p.setProperty("user", env("MYUSER"));
    p.setProperty("password", env("MYPASSWORD"));
    if (env("MYCA") != null && !env("MYCA").isEmpty()) {
      p.setProperty("useSsl", "true");
      p.setProperty("serverSslCert", env("MYCA"));
    }
    for (int i = 0; i < more.length; i += 2) p.setProperty(more[i], more[i + 1]);
    return DriverManager.getConnection("jdbc:mariadb://" + env("MYHOST") + ":" + env("MYPORT") + "/" + env("MYDATABASE"), p);
  }

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

  static void refused(String name, Statement s, String query) {
    try {
      s.execute(query);
      show(name, "no error");
    } catch (SQLException e) {
      show(name, e.getSQLState() + " " + e.getErrorCode());
    }
  }

  public static void main(String[] args) throws Exception {
    for (String server : new String[] {"false", "true"}) {
      try (Connection c = connect("useServerPrepStmts", server)) {
        Statement s = c.createStatement();
        show("rows", rows(s.executeQuery("SELECT * FROM items ORDER BY id")));
        try (PreparedStatement q = c.prepareStatement("SELECT * FROM items WHERE id >= ? ORDER BY id")) {
          q.setInt(1, 2);
          show("prepared", rows(q.executeQuery()));
          q.setInt(1, 3);
          show("again", rows(q.executeQuery()));
        }
        try (PreparedStatement q = c.prepareStatement("SELECT a.id FROM items a, items b, items c ORDER BY 1")) {
          q.setFetchSize(4);
          show("fetched", rows(q.executeQuery()));
        }
        refused("undefined", s, "SELECT nope FROM items");
        refused("unique", s, "INSERT INTO items (id, name, price) VALUES (1, 'x', 1)");
        refused("syntax", s, "SELEC 1");
        c.setAutoCommit(false);
        try (PreparedStatement q = c.prepareStatement("INSERT INTO sales (item_id, quantity) VALUES (?, ?)")) {
          for (int n = 0; n < 50; n++) { q.setInt(1, 1); q.setInt(2, n); q.addBatch(); }
          show("batch", q.executeBatch().length);
        }
        Savepoint here = c.setSavepoint();
        s.execute("DELETE FROM sales");
        c.rollback(here);
        show("counted", rows(s.executeQuery("SELECT count(*), sum(quantity) FROM sales")));
        c.rollback();
        c.setAutoCommit(true);
        c.setReadOnly(true);
        c.setReadOnly(false);
        c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        show("tables", rows(c.getMetaData().getColumns(c.getCatalog(), null, "sales", null)).length() > 0);
        s.setQueryTimeout(1);
        refused("timed out", s, "SELECT SLEEP(20) FROM items");
        show("valid", c.isValid(2));
      }
    }
  }
}
