// A scheduling platform in C#, on Mono. mcs -r:System.Data -r:Mono.Data.Sqlite CsharpMono.cs && mono CsharpMono.exe DB
using System;
using System.Linq;
using System.Threading;
using Mono.Data.Sqlite;

class CsharpMono
{
    const string Credential = "SELECT project_key, session_id, token FROM join_credential " +
        "WHERE meeting_id = 'mono-1' AND participant_id = ?";
    const string Meeting = "INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('mono-1', 'Stand-up', ?, ?) " +
        "ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, " +
        "status = 'scheduled'";
    static SqliteConnection db;

    // The first row, or null. Ids are strings, also when they look like numbers.
    static object[] Run(string sql, params object[] values)
    {
        using (var command = db.CreateCommand())
        {
            command.CommandText = sql;
            foreach (var value in values) command.Parameters.Add(new SqliteParameter { Value = value });
            using (var reader = command.ExecuteReader())
                return reader.Read() ? Enumerable.Range(0, reader.FieldCount).Select(reader.GetValue).ToArray() : null;
        }
    }

    static object[] Await(string sql, params object[] values)
    {
        for (var until = DateTime.UtcNow.AddMinutes(1); DateTime.UtcNow < until; Thread.Sleep(50))
            if (Run(sql, values) is object[] row) return row;
        throw new TimeoutException("nothing came: " + string.Join(" ", Run("SELECT * FROM usher_status")));
    }

    static void Person(string name, string role) => Run(
        "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('mono-1', ?, ?) " +
        "ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role", name, role);

    static void Main(string[] arguments)
    {
        // Waits 5 s for locks. Without a Journal Mode, Mono would take the file out of WAL.
        db = new SqliteConnection($"Data Source={arguments[0]};Default Timeout=5;Journal Mode=WAL");
        db.Open();
        long startsAt = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 600; // whole Unix seconds, UTC
        try { Run(Meeting, startsAt * 1000, startsAt); } // one statement is a transaction
        catch (SqliteException error) { Console.WriteLine("refused: " + error.Message.Split('\n').Last()); }

        var seen = (long)Run("SELECT COALESCE(max(seq), 0) FROM meeting_status")[0]; // 64 bits
        using (var transaction = db.BeginTransaction()) // Mono says BEGIN IMMEDIATE
        {
            Run(Meeting, startsAt, startsAt + 900);
            Run("DELETE FROM block WHERE meeting_id = 'mono-1'");
            Person("7", "publisher");
            Person("bob", "subscriber");
            transaction.Commit(); // else Dispose rolls back
        }
        Console.WriteLine("credential: " + string.Join(" ", Await(Credential, "7")));

        Person("7", "moderator");
        Await(Credential + " AND role = 'moderator'", "7");
        Console.WriteLine("role: moderator");

        Run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('mono-1', 'bob', 'asked to leave')");
        Console.WriteLine("blocked: " + (Run(Credential, "bob")?[2] ?? "none"));

        Run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'mono-1', 'mono')");
        var request = Run("SELECT last_insert_rowid()")[0];
        const string result = "SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL";
        Console.WriteLine("request: " + Await(result, request)[0]);

        const string next = "SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq LIMIT 1";
        for (object[] row; (row = Run(next, seen)) != null; seen = (long)row[2])
            Console.WriteLine("changed: " + string.Join(" ", row));

        Run("UPDATE meeting SET status = 'cancelled' WHERE id = 'mono-1'");
        Console.WriteLine("cancelled: " + (Run(Credential, "7")?[2] ?? "none"));
    }
}
