// A scheduling platform in Go, with github.com/mattn/go-sqlite3. usage: go run go_mattn.go /var/lib/usher/usher.db
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

var db *sql.DB

func run(statement string, values ...any) error { // one statement is a transaction
	_, err := db.Exec(statement, values...)
	return err
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func ask(query string, values ...any) string {
	rows, err := db.Query(query, values...)
	must(err)
	defer rows.Close()
	if !rows.Next() {
		return "none"
	}
	columns, err := rows.Columns()
	must(err)
	texts := make([]any, len(columns))
	for i := range texts {
		texts[i] = new(sql.NullString)
	}
	must(rows.Scan(texts...))
	var row []string
	for _, text := range texts {
		row = append(row, text.(*sql.NullString).String)
	}
	return strings.Join(row, " ")
}

func wait(query string, values ...any) string {
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if row := ask(query, values...); row != "none" {
			return row
		}
	}
	log.Fatal("nothing came: ", ask("SELECT * FROM usher_status"))
	return ""
}

const person = `INSERT INTO participant (meeting_id, participant_id, role) VALUES ('go-1', ?, ?)
                ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role`

func main() {
	var err error
	db, err = sql.Open("sqlite3", os.Args[1]+"?_busy_timeout=5000&_txlock=immediate") // waits 5 s for locks
	must(err)
	startsAt := time.Now().Unix() + 600 // whole Unix seconds, UTC
	err = run("INSERT INTO meeting (id, starts_at, ends_at) VALUES ('go-1', ?, ?)", startsAt*1000, startsAt)
	fmt.Println("refused:", err)

	var seen int64 // seq takes 64 bits
	must(db.QueryRow("SELECT COALESCE(max(seq), 0) FROM meeting_status").Scan(&seen))
	write, err := db.Begin() // IMMEDIATE
	must(err)
	for _, step := range [][]any{
		{`INSERT INTO meeting (id, title, starts_at, ends_at) VALUES ('go-1', 'Stand-up', ?, ?) ON CONFLICT (id) DO UPDATE
		  SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'`, startsAt, startsAt + 900},
		{"DELETE FROM block WHERE meeting_id = 'go-1'"},
		{person, "7", "publisher"}, // ids are text, also when they look like numbers
		{person, "bob", "subscriber"},
	} {
		_, err = write.Exec(step[0].(string), step[1:]...)
		must(err)
	}
	must(write.Commit())
	credential := "SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = 'go-1' AND participant_id = ?"
	fmt.Println("credential:", wait(credential, "7"))

	must(run(person, "7", "moderator"))
	wait(credential+" AND role = 'moderator'", "7")
	fmt.Println("role: moderator")

	must(run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('go-1', 'bob', 'asked to leave')"))
	fmt.Println("blocked:", ask(credential, "bob"))

	must(run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'go-1', 'go')"))
	request := ask("SELECT max(id) FROM request WHERE meeting_id = 'go-1'")
	fmt.Println("request:", wait("SELECT state FROM request_status WHERE id = ? AND state IN ('done', 'refused')", request))

	fmt.Println("changed:", ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? AND meeting_id = 'go-1'", seen))

	must(run("UPDATE meeting SET status = 'cancelled' WHERE id = 'go-1'"))
	fmt.Println("cancelled:", ask(credential, "7"))
}
