// A scheduling platform in Java, with the JDBC driver of Xerial.
// usage: java -cp /usr/share/java/sqlite-jdbc.jar JavaJdbc.java /var/lib/usher/usher.db
import java.sql.*;
import java.time.Instant;

public class JavaJdbc {
    static Connection db;

    // The first row as text, or "none". Ids are strings, also when they look like numbers.
    static String run(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; ++i)
                statement.setObject(i + 1, values[i]);
            ResultSet row = statement.execute() ? statement.getResultSet() : null;
            if (row == null || !row.next())
                return "none";
            String text = row.getString(1);
            for (int i = 2; i <= row.getMetaData().getColumnCount(); ++i)
                text += " " + row.getString(i);
            return text;
        }
    }

    static String await(String sql, Object... values) throws Exception {
        Instant until = Instant.now().plusSeconds(60);
        String row;
        for (; (row = run(sql, values)).equals("none"); Thread.sleep(50))
            if (Instant.now().isAfter(until))
                throw new Exception("nothing came: " + run("SELECT * FROM usher_status"));
        return row;
    }

    static void person(String name, String role) throws SQLException {
        run("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('java-1', ?, ?) "
            + "ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role", name, role);
    }

    public static void main(String[] args) throws Exception {
        // Waits 5 s for locks; what starts a transaction says BEGIN IMMEDIATE.
        db = DriverManager.getConnection("jdbc:sqlite:" + args[0] + "?busy_timeout=5000&transaction_mode=IMMEDIATE");
        long startsAt = Instant.now().getEpochSecond() + 600; // whole Unix seconds, UTC
        String meeting = "INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('java-1', 'Stand-up', ?, ?) "
            + "ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, "
            + "status = 'scheduled'";
        try { // one statement is a transaction
            run(meeting, startsAt * 1000, startsAt);
        } catch (SQLException error) {
            System.out.println("refused: " + error.getMessage());
        }

        PreparedStatement changes = db.prepareStatement(
            "SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq");
        changes.setLong(1, Long.parseLong(run("SELECT COALESCE(max(seq), 0) FROM meeting_status")));
        db.setAutoCommit(false);
        run(meeting, startsAt, startsAt + 900);
        run("DELETE FROM block WHERE meeting_id = 'java-1'");
        person("7", "publisher");
        person("bob", "subscriber");
        db.commit();
        db.setAutoCommit(true);
        String credential = "SELECT project_key, session_id, token FROM join_credential "
            + "WHERE meeting_id = 'java-1' AND participant_id = ?";
        System.out.println("credential: " + await(credential, "7"));

        person("7", "moderator");
        await(credential + " AND role = 'moderator'", "7");
        System.out.println("role: moderator");
        run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('java-1', 'bob', 'asked to leave')");
        System.out.println("blocked: " + run(credential, "bob"));
        run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'java-1', 'java')");
        System.out.println("request: " + await("SELECT state FROM request_status WHERE id = ? "
            + "AND done_at IS NOT NULL", run("SELECT last_insert_rowid()")));

        for (ResultSet row = changes.executeQuery(); row.next();) // getLong: getInt would cut seq
            System.out.println("changed: " + row.getString(1) + " " + row.getString(2) + " " + row.getLong(3));

        run("UPDATE meeting SET status = 'cancelled' WHERE id = 'java-1'");
        System.out.println("cancelled: " + run(credential, "7"));
    }
}
