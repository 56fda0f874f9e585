// A scheduling platform in C#, on Mono. usage: mcs -r:System.Data -r:Mono.Data.Sqlite CsharpMono.cs && mono CsharpMono.exe DB
using System;
using System.Threading;
using Mono.Data.Sqlite;

class CsharpMono
{
    static SqliteConnection db;

    static SqliteCommand Command(string sql, params object[] values)
    {
        var command = db.CreateCommand();
        command.CommandText = sql;
        foreach (var value in values) // ids are text, also when they look like numbers
            command.Parameters.Add(new SqliteParameter { Value = value });
        return command;
    }

    static void Run(string sql, params object[] values)
    {
        using (var command = Command(sql, values)) command.ExecuteNonQuery();
    }

    static string Ask(string sql, params object[] values)
    {
        using (var command = Command(sql, values))
        using (var row = command.ExecuteReader())
        {
            if (!row.Read()) return "none";
            var texts = new string[row.FieldCount];
            for (int i = 0; i < texts.Length; ++i) texts[i] = Convert.ToString(row.GetValue(i));
            return string.Join(" ", texts);
        }
    }

    static string Await(string sql, params object[] values)
    {
        for (int tries = 0; tries < 1200; ++tries, Thread.Sleep(50))
        {
            var row = Ask(sql, values);
            if (row != "none") return row;
        }
        throw new Exception("nothing came: " + Ask("SELECT * FROM usher_status"));
    }

    static void Write(Action work)
    {
        Run("BEGIN IMMEDIATE");
        try { work(); Run("COMMIT"); }
        catch { Run("ROLLBACK"); throw; }
    }

    static void Person(string name, string role)
    {
        Run("INSERT INTO participant (meeting_id, participant_id, role) VALUES ('mono-1', ?, ?) " +
            "ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role", name, role);
    }

    static void Main(string[] arguments)
    {
        db = new SqliteConnection("Data Source=" + arguments[0]);
        db.Open();
        Run("PRAGMA busy_timeout = 5000"); // waits 5 s for locks
        long startsAt = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 600; // whole Unix seconds, UTC
        try
        {
            Write(() => Run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('mono-1', ?, ?)", startsAt * 1000, startsAt));
        }
        catch (SqliteException error) { Console.WriteLine("refused: " + error.Message.Replace("\r\n", " ").Replace("\n", " ")); }

        long seen = long.Parse(Ask("SELECT COALESCE(max(seq), 0) FROM meeting_status")); // 64 bits
        Write(() =>
        {
            Run("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('mono-1', 'Stand-up', ?, ?) ON CONFLICT (id) DO " +
                "UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'",
                startsAt, startsAt + 900);
            Run("DELETE FROM block WHERE meeting_id = 'mono-1'");
            Person("7", "publisher");
            Person("bob", "subscriber");
        });
        const string credential = "SELECT project_key, session_id, token FROM join_credential " +
            "WHERE meeting_id = 'mono-1' AND participant_id = ?";
        Console.WriteLine("credential: " + Await(credential, "7"));

        Write(() => Person("7", "moderator"));
        Await(credential + " AND role = 'moderator'", "7");
        Console.WriteLine("role: moderator");

        Write(() => Run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('mono-1', 'bob', 'asked to leave')"));
        Console.WriteLine("blocked: " + Ask(credential, "bob"));

        Write(() => Run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'mono-1', 'mono')"));
        long request = long.Parse(Ask("SELECT max(id) FROM request WHERE meeting_id = 'mono-1'"));
        Console.WriteLine("request: " +
            Await("SELECT state FROM request_status WHERE id = ? AND state IN ('done', 'refused')", request));

        Console.WriteLine("changed: " +
            Ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? AND meeting_id = 'mono-1'", seen));

        Write(() => Run("UPDATE meeting SET status = 'cancelled' WHERE id = 'mono-1'"));
        Console.WriteLine("cancelled: " + Ask(credential, "7"));
    }
}
