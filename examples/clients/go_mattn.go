// A scheduling platform in Go, with github.com/mattn/go-sqlite3. usage: go run go_mattn.go /var/lib/usher/usher.db
package main

import (
	"database/sql"
	"fmt"
	_ "github.com/mattn/go-sqlite3"
	"log"
	"os"
	"time"
)

const (
	addMeeting = `INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('go-1', 'Stand-up', ?, ?) ON CONFLICT (id)
	              DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'`
	addPerson = `INSERT INTO participant (meeting_id, participant_id, role) VALUES ('go-1', ?, ?)
	             ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role`
	credential = `SELECT project_key || ' ' || session_id || ' ' || token FROM join_credential
	              WHERE meeting_id = 'go-1' AND participant_id = ?`
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// read gives the one column of the first row, or "none".
func read(db *sql.DB, query string, values ...any) (text string) {
	err := db.QueryRow(query, values...).Scan(&text)
	if err == sql.ErrNoRows {
		return "none"
	}
	return must(text, err)
}

func wait(db *sql.DB, query string, values ...any) string {
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if text := read(db, query, values...); text != "none" {
			return text
		}
	}
	panic("nothing came; usher looked last at " + read(db, "SELECT looked_at FROM usher_status"))
}

func main() {
	db := must(sql.Open("sqlite3", os.Args[1]+"?_busy_timeout=5000&_txlock=immediate")) // waits 5 s for locks
	startsAt := time.Now().Unix() + 600                                                 // whole Unix seconds, UTC
	_, err := db.Exec(addMeeting, startsAt*1000, startsAt)                              // one statement is a transaction
	fmt.Println("refused:", err)

	var seen int64 // seq takes 64 bits
	must(0, db.QueryRow("SELECT COALESCE(max(seq), 0) FROM meeting_status").Scan(&seen))
	write := must(db.Begin()) // IMMEDIATE; what ends the process before Commit rolls back
	must(write.Exec(addMeeting, startsAt, startsAt+900))
	must(write.Exec("DELETE FROM block WHERE meeting_id = 'go-1'"))
	must(write.Exec(addPerson, "7", "publisher")) // ids are strings, also when they look like numbers
	must(write.Exec(addPerson, "bob", "subscriber"))
	must(0, write.Commit())
	fmt.Println("credential:", wait(db, credential, "7"))

	must(db.Exec(addPerson, "7", "moderator"))
	wait(db, credential+" AND role = 'moderator'", "7")
	fmt.Println("role: moderator")

	must(db.Exec("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('go-1', 'bob', 'asked to leave')"))
	fmt.Println("blocked:", read(db, credential, "bob"))
	filed := must(db.Exec("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'go-1', 'go')"))
	id := must(filed.LastInsertId())
	fmt.Println("request:", wait(db, "SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", id))

	rows := must(db.Query("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq", seen))
	for id, state := "", ""; rows.Next(); fmt.Println("changed:", id, state, seen) {
		must(0, rows.Scan(&id, &state, &seen))
	}
	must(0, rows.Err())
	must(db.Exec("UPDATE meeting SET status = 'cancelled' WHERE id = 'go-1'"))
	fmt.Println("cancelled:", read(db, credential, "7"))
}
