// A scheduling platform in Java, with the JDBC driver of Xerial.
// usage: java -cp /usr/share/java/sqlite-jdbc.jar JavaJdbc.java /var/lib/usher/usher.db
import java.sql.*;
import java.time.Instant;

public class JavaJdbc {
    static Connection db;

    static PreparedStatement statement(String sql, Object... values) throws SQLException {
        PreparedStatement statement = db.prepareStatement(sql);
        for (int i = 0; i < values.length; ++i) // ids are text, also when they look like numbers
            statement.setObject(i + 1, values[i]);
        return statement;
    }

    static void run(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = statement(sql, values)) {
            statement.executeUpdate();
        }
    }

    static String ask(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = statement(sql, values); ResultSet row = statement.executeQuery()) {
            if (!row.next())
                return "none";
            StringBuilder text = new StringBuilder();
            for (int i = 1; i <= row.getMetaData().getColumnCount(); ++i)
                text.append(i == 1 ? "" : " ").append(row.getString(i));
            return text.toString();
        }
    }

    static String await(String sql, Object... values) throws Exception {
        for (int tries = 0; tries < 1200; ++tries) {
            String row = ask(sql, values);
            if (!row.equals("none"))
                return row;
            Thread.sleep(50);
        }
        throw new Exception("nothing came: " + ask("SELECT * FROM usher_status"));
    }

    interface Work { void run() throws SQLException; }

    static void write(Work work) throws SQLException {
        db.setAutoCommit(false); // with transaction_mode IMMEDIATE
        try {
            work.run();
            db.commit();
        } catch (SQLException error) {
            db.rollback();
            throw error;
        } finally {
            db.setAutoCommit(true);
        }
    }

    static void person(String name, String role) throws SQLException {
        run("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('java-1', ?, ?) "
            + "ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role", name, role);
    }

    public static void main(String[] arguments) throws Exception {
        db = DriverManager.getConnection("jdbc:sqlite:" + arguments[0] + "?busy_timeout=5000&transaction_mode=IMMEDIATE");
        long startsAt = Instant.now().getEpochSecond() + 600; // whole Unix seconds, UTC
        try {
            write(() -> run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('java-1', ?, ?)", startsAt * 1000, startsAt));
        } catch (SQLException error) {
            System.out.println("refused: " + error.getMessage());
        }

        long seen = Long.parseLong(ask("SELECT COALESCE(max(seq), 0) FROM meeting_status")); // getLong: it takes 64 bits
        write(() -> {
            run("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('java-1', 'Stand-up', ?, ?) ON CONFLICT (id) "
                + "DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'",
                startsAt, startsAt + 900);
            run("DELETE FROM block WHERE meeting_id = 'java-1'");
            person("7", "publisher");
            person("bob", "subscriber");
        });
        String credential = "SELECT project_key, session_id, token FROM join_credential "
            + "WHERE meeting_id = 'java-1' AND participant_id = ?";
        System.out.println("credential: " + await(credential, "7"));

        write(() -> person("7", "moderator"));
        await(credential + " AND role = 'moderator'", "7");
        System.out.println("role: moderator");

        write(() -> run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('java-1', 'bob', 'asked to leave')"));
        System.out.println("blocked: " + ask(credential, "bob"));

        write(() -> run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'java-1', 'java')"));
        long request = Long.parseLong(ask("SELECT max(id) FROM request WHERE meeting_id = 'java-1'"));
        System.out.println("request: "
            + await("SELECT state FROM request_status WHERE id = ? AND state IN ('done', 'refused')", request));

        System.out.println("changed: "
            + ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? AND meeting_id = 'java-1'", seen));

        write(() -> run("UPDATE meeting SET status = 'cancelled' WHERE id = 'java-1'"));
        System.out.println("cancelled: " + ask(credential, "7"));
    }
}
